/*
 * Where libportshim.so is, and the environment that preloads it.
 */
#ifndef PORTMAP_COMMAND_LIBRARY_H
#define PORTMAP_COMMAND_LIBRARY_H

#include "base/problem.h"
#include "run/run.h"

#include <limits.h>
#include <stdbool.h>

/*
 * Finds the library: PORTSHIM_LIB, else beside this program, else in ../lib, ../lib/portshim or the multiarch
 * directory. Fails (command_fail) when there is none, when it is of another ELF class or machine, or when
 * LD_PRELOAD cannot carry its path.
 */
void library_find(char path[static PATH_MAX]);

/* The same, but returns false and fills in *problem instead of failing. */
bool library_look(char path[static PATH_MAX], struct problem *problem);

/*
 * Changes this process's environment to that of a program of the run: adds the library to LD_PRELOAD, and
 * sets PORTSHIM_RUN and the private variable of compact.h. False when the run does not fit into the latter.
 * trap->command is not read: it is this program. Below a trap, the program is so, too.
 */
bool library_enter_run(const char *path, const struct run *run, const struct compact_trap *trap);

/* Takes the library out of LD_PRELOAD of this process's environment, for a program that could not load it. */
void library_leave_out(void);

#endif
