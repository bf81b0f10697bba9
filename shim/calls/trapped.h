/*
 * Starting a program under the trap: the command portshim is executed in its private mode,
 *
 *     portshim trapped DIRFD FLAGS PATH ARG0 [ARG]...
 *
 * which executes the program in its turn, in the same process as far as the kernel allows that
 * (trap/start.h). DIRFD is a descriptor, or "-" for the working directory; FLAGS are those of execveat(2), in
 * decimal.
 *
 * Callable between vfork(2) and exec, and in signal handlers.
 */
#ifndef SHIM_CALLS_TRAPPED_H
#define SHIM_CALLS_TRAPPED_H

#include "calls/start.h"
#include "run/compact.h"

#include <fcntl.h>
#include <stdbool.h>

/* A flag of execveat(2) since Linux 6.14: nothing is started. */
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

/* Added to FLAGS: DIRFD was close-on-exec, and is to be that again. */
enum { TRAPPED_CLOSES = 1 << 30 };

struct trapped {
    const struct compact_trap *trap; /* says where portshim is */
    int dirfd, flags;
    const char *path;
    char *const *argv, *const *environment;
    bool is_script;
    const struct start_spawn *spawn; /* NULL: by exec */
};

/* Whether the kernel would not start the program: it must fail in the process that starts it. `dirfd` and
 * `path` as this process sees them, even where a directory is changed to before the program is started. */
bool trapped_will_fail(const struct trapped *program, int dirfd, const char *path);

/* Executes portshim, and does not return when that has worked; with `spawn`, returns true then. False when it
 * cannot be executed, or when the program could not be told to it. errno may change. */
bool trapped_start(const struct trapped *program);

#endif
