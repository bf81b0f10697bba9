/*
 * Whether the library will reach a program: the one judge. The library asks it before each exec, the command
 * before it starts something, and doctor and ls say what it says.
 *
 * It asks the kernel by the calls of kernel.h, and allocates nothing: callable between vfork(2) and exec, and
 * in signal handlers. errno is left alone.
 */
#ifndef PORTMAP_PROGRAM_REACH_H
#define PORTMAP_PROGRAM_REACH_H

#include "program/elf.h"
#include "program/search.h"

#include <stdbool.h>
#include <sys/stat.h>

/* A script's interpreter may be a script: the kernel follows so many. */
enum { SCRIPT_DEPTH = 5 };

struct reach {
    enum program_kind kind;
    bool is_capable;    /* its file has capabilities, which are of no account for root */
    bool is_privileged; /* it gives this process another user or group, or capabilities: ld.so ignores
                           LD_PRELOAD then */
    struct stat file;   /* as kernel_stat() */
    /* What has been judged, as execveat(2) names it: a script's interpreter in place of the script. The path
     * is NULL when it cannot be told where that lies. */
    int dirfd, flags;
    const char *path;
    char interpreter[256]; /* as much as the kernel reads of a script */
};

struct reach_asker {
    struct place *place; /* the directory that the program will start in: an interpreter may be relative */
    /* NULL, or fills in `kind` and `is_capable` of a file that is known by reach->file; false when it is not.
     * What is known is not opened. */
    bool (*knows)(const void *memory, struct reach *reach);
    const void *memory;
};

/*
 * Judges a program that this process may start, the arguments as those of execveat(2), an empty path only
 * with AT_EMPTY_PATH. What is not there, is no regular file or cannot be opened is PROGRAM_UNKNOWN. One
 * stat(2) a file, and, where it is not known, one open(2) and reading. *reach must not be copied.
 */
void reach_judge(struct reach *reach, int dirfd, const char *path, int flags,
                 const struct reach_asker *asker);

/* The same for a file that this process may start where it is. */
void reach_judge_here(struct reach *reach, const char *path);

/* Why the library does not reach a program, and what helps: for a line of a list, and in full. */
struct obstacle {
    const char *why, *remedy;
    const char *why_in_full, *remedy_in_full;
};

/* NULL when the library reaches it, or the kernel will not start it. The command portshim, which is static
 * and binds nothing, is a run inside a run. */
const struct obstacle *reach_obstacle(enum program_kind kind, bool is_privileged);

#endif
