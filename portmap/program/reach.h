/*
 * Whether the library will reach a program that is started: the one place where that is judged. The library
 * asks before each exec, and the command before it starts a program; doctor and ls repeat the answer.
 *
 * Only calls of base/kernel.h are made, nothing is allocated and errno is left alone: callable between
 * vfork(2) and exec, and in signal handlers.
 */
#ifndef PORTMAP_PROGRAM_REACH_H
#define PORTMAP_PROGRAM_REACH_H

#include "program/elf.h"
#include "program/search.h"

#include <stdbool.h>
#include <sys/stat.h>

/* The interpreter of a script may be a script: how many of them the kernel follows. */
enum { SCRIPT_DEPTH = 5 };

struct reach {
    enum program_kind kind;
    bool is_capable;    /* its file has capabilities, which add nothing for root */
    bool is_privileged; /* starting it changes user, group or capabilities: ld.so ignores LD_PRELOAD */
    struct stat file;   /* what kernel_stat() tells */
    /* The file that has been judged, as arguments of execveat(2): of a script, the interpreter. path is NULL
     * when it is relative to a directory that is not known. */
    int dirfd, flags;
    const char *path;
    char interpreter[256]; /* the kernel reads no more of a script */
};

struct reach_asker {
    struct place *place; /* where the program will start: an interpreter may be relative to it */
    /* Fills in `kind` and `is_capable` of a file that is known by reach->file, and which then is not opened;
     * false when it is not known. NULL: none is known. */
    bool (*knows)(const void *memory, struct reach *reach);
    const void *memory;
};

/*
 * Judges a program that this process may start. Arguments are those of execveat(2); the path is empty only
 * with AT_EMPTY_PATH. A file that is missing, is not regular or cannot be opened is PROGRAM_UNKNOWN. Costs a
 * stat(2) for each file and, if it is not known, an open(2) and some reads. *reach must not be copied: path
 * may point into it.
 */
void reach_judge(struct reach *reach, int dirfd, const char *path, int flags,
                 const struct reach_asker *asker);

/* The same for a path that this process would start from its working directory. */
void reach_judge_here(struct reach *reach, const char *path);

/* Why the library does not reach a program, and what helps without the trap: in short for a line of a list,
 * and in full. */
struct obstacle {
    const char *why, *remedy;
    const char *why_in_full, *remedy_in_full;
};

/* NULL when there is no obstacle: the library reaches the program, or the kernel will not start it, or it is
 * the command portshim, which is static but makes a run inside of the run and binds nothing. */
const struct obstacle *reach_obstacle(enum program_kind kind, bool is_privileged);

/* By which way the ports of a program are rewritten. */
enum reach_way {
    WAY_LIBRARY, /* there is no obstacle */
    WAY_TRAP,    /* the library does not reach it: it has to be started under the trap */
    WAY_NONE,    /* neither: under the trap it would not get the rights that its file gives */
};

enum reach_way reach_way(enum program_kind kind, bool is_privileged);

/* Whether a program is to be started under the trap, where that can be had and is not switched off. */
static inline bool reach_wants_trap(const struct reach *reach)
{
    return reach_way(reach->kind, reach->is_privileged) == WAY_TRAP;
}

/* Whether the kernel starts a judged program by itself. One for another machine is started by an interpreter
 * that only the kernel knows (binfmt_misc), or it fails. Opens a file of PROGRAM_WRONG_CLASS once more. */
bool reach_runs_here(const struct reach *reach);

/* Whether ld.so would fail, or complain, if our library stood in LD_PRELOAD of this program: it is to be
 * taken out. */
static inline bool reach_refuses_library(const struct reach *reach)
{
    return reach->kind == PROGRAM_OTHER_LIBC || reach->kind == PROGRAM_WRONG_CLASS;
}

#endif
