/*
 * Where libportshim.so is, and a LD_PRELOAD that has it.
 */
#ifndef PORTMAP_LIBRARY_H
#define PORTMAP_LIBRARY_H

#include <limits.h>
#include <stdbool.h>

/*
 * Finds the library: PORTSHIM_LIB, else beside this program, else in ../lib, ../lib/portshim or the multiarch
 * directory. Fails (command_fail) when there is none, it is of another ELF class or machine, or LD_PRELOAD
 * cannot carry its path.
 */
void library_find(char path[static PATH_MAX]);

/* What is wrong with the library, for a line of it; subject is the file meant. */
struct library_problem {
    char subject[PATH_MAX];
    const char *why, *remedy;
};

/* The same without failing: false with *problem filled in. */
bool library_look(char path[static PATH_MAX], struct library_problem *problem);

/* Puts the library into LD_PRELOAD, what is there already kept. */
void library_preload(const char *path);

#endif
