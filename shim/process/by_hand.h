/*
 * A run by hand: a program that was started with this library alone, in LD_PRELOAD, makes the run that its
 * environment asks for, or joins the one that others with the same wish have made.
 */
#ifndef SHIM_PROCESS_BY_HAND_H
#define SHIM_PROCESS_BY_HAND_H

#include "run/run.h"

#include <stdbool.h>

/*
 * The run, attached, of PORTSHIM_PORTS and PORTSHIM_MAP_FILE, either of which may be NULL. What is wrong ends
 * the process (die.h). `again` as once() has it.
 */
struct run *by_hand(const char *ports, const char *map_file, bool again);

/* The one change to the program's environment: its children, and it itself, can see which run this is. */
void by_hand_put_in_environment(char *variable);

#endif
