/*
 * Where libportshim.so is, and a LD_PRELOAD that has it.
 */
#ifndef PORTMAP_LIBRARY_H
#define PORTMAP_LIBRARY_H

#include "problem.h"

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

/* Puts the library into LD_PRELOAD, what is there already kept. */
void library_preload(const char *path);

#endif
