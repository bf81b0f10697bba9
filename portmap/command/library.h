/*
 * Where libportshim.so is, and a LD_PRELOAD that has it.
 */
#ifndef PORTMAP_COMMAND_LIBRARY_H
#define PORTMAP_COMMAND_LIBRARY_H

#include "base/problem.h"
#include "run/run.h"

#include <limits.h>
#include <stdbool.h>

/*
 * Finds the library: PORTSHIM_LIB, else beside this program, else in ../lib, ../lib/portshim or the multiarch
 * directory. Fails (command_fail) when there is none, it is of another ELF class or machine, or LD_PRELOAD
 * cannot carry its path.
 */
void library_find(char path[static PATH_MAX]);

/* The same without failing: false with *problem filled in. */
bool library_look(char path[static PATH_MAX], struct problem *problem);

/*
 * Makes this environment that of a program of the run: the library in LD_PRELOAD, where what is there stays,
 * PORTSHIM_RUN, and the private variable of compact.h. False when the run does not fit into that.
 */
bool library_enter_run(const char *path, const struct run *run);

#endif
