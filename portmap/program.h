/*
 * Which file a command means, and what kind of program it is: whether a preloaded library will reach it.
 */
#ifndef PORTMAP_PROGRAM_H
#define PORTMAP_PROGRAM_H

#include "elf.h"
#include "map.h"

#include <limits.h>
#include <stdbool.h>

struct program {
    enum program_kind kind;
    bool privileged; /* set-user-ID, set-group-ID or with capabilities: ld.so ignores LD_PRELOAD paths */
    unsigned long long device, inode; /* as sighting_program() takes them */
    char file[PATH_MAX];              /* what is judged: a script's interpreter in place of the script */
};

/*
 * Finds a command as execvp(3) does, in PATH unless it has a slash. 0 with path[PATH_MAX] filled in, -ENOENT,
 * or -EACCES when something of that name was found that may not be executed.
 */
int program_find(const char *command, char path[static PATH_MAX]);

/* Judges an executable file; a script stands for its interpreter. Whether it is `privileged` is judged for
 * this process's user. */
void program_inspect(const char *path, struct program *program);

/* Why the library will not reach a program, NULL when it will, and what to do then. The command portshim,
 * which is static and binds nothing, is a run inside a run. */
const char *program_out_of_reach(const struct program *program);
const char *program_remedy(const struct program *program);

/* Enters a program that the library will not reach in the map, as the library does with those that the
 * command starts. */
void program_note(struct map *map, const struct program *program);

/* Whether a file is a library of our own class and machine. 0, a negated errno or PORTMAP_ETORN. */
int program_check_library(const char *path);

#endif
