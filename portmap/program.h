/*
 * What kind of program a file is: whether a preloaded library will reach it.
 */
#ifndef PORTMAP_PROGRAM_H
#define PORTMAP_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

enum program_kind {
    PROGRAM_DYNAMIC,     /* an ELF program with an interpreter: ld.so preloads */
    PROGRAM_STATIC,      /* an ELF program without one: nothing is preloaded */
    PROGRAM_GO,          /* enters the kernel by itself, whether libc is linked in or not */
    PROGRAM_WRONG_CLASS, /* ELF of another class or machine than portshim's library */
    PROGRAM_UNKNOWN,     /* not ELF and no script, or unreadable: the kernel will know */
};

struct program {
    enum program_kind kind;
    bool privileged;     /* set-user-ID, set-group-ID: ld.so ignores LD_PRELOAD paths */
    char file[PATH_MAX]; /* what is judged: a script's interpreter in place of the script */
};

/*
 * Finds a command as execvp(3) does, in PATH unless it has a slash. 0 with path[PATH_MAX] filled in, -ENOENT,
 * or -EACCES when something of that name was found that may not be executed.
 */
int program_find(const char *command, char path[static PATH_MAX]);

/* Judges an executable file; a script stands for its interpreter. */
void program_inspect(const char *path, struct program *program);

/* Whether a file is a library of our own class and machine. 0, a negated errno or PORTMAP_ETORN. */
int program_check_library(const char *path);

#endif
