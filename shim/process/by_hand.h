/*
 * A run by hand, without `portshim run`: a program that has this library in LD_PRELOAD makes the run that its
 * environment asks for, or joins the one that an earlier program has made for the same variables.
 */
#ifndef SHIM_PROCESS_BY_HAND_H
#define SHIM_PROCESS_BY_HAND_H

#include "run/run.h"

#include <stdbool.h>

/*
 * Makes or joins the run for the values of PORTSHIM_PORTS and PORTSHIM_MAP_FILE, of which one may be NULL.
 * Returns it attached, in static memory. An error ends the process (process/die.h). `again` is that of once()
 * (process/once.h).
 */
struct run *by_hand(const char *ports, const char *map_file, bool again);

/* What PORTSHIM_COMPACT is to say about the trap where nobody has said it before: whether PORTSHIM_TRAP turns
 * it off, and the command portshim that lies beside this library or in a directory bin near it. In static
 * memory. */
struct compact_trap by_hand_trap(void);

/* Adds PORTSHIM_RUN=... to the environment, for the program and its children; the string is not copied. */
void by_hand_put_in_environment(char *variable);

#endif
