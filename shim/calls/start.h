/*
 * Before a program is started: whether the library will reach it (program/reach.h). One that it will not
 * reach is started under the trap: instead of the program, the command portshim is executed in its private
 * mode (calls/trapped.h), which executes the program in its turn. Where that is not possible, the program is
 * started all the same, and noted in the run and those around it for people who look at them
 * (run/sighting.h); unless the run is strict: then it is refused. What cannot be opened is not judged.
 *
 * Callable between vfork(2) and exec, and in signal handlers. No cancellation points.
 */
#ifndef SHIM_CALLS_START_H
#define SHIM_CALLS_START_H

#include "process/carry.h"

#include <spawn.h>
#include <stdbool.h>

/*
 * Whether the caller is to execute the program itself; the arguments are execveat(2)'s, with the environment
 * that CARRY() has made of the caller's. Does not return when the program was executed through portshim. When
 * false, errno is EPERM, or ENOMEM when there was no memory for the environment; else errno is left alone.
 */
bool start_exec(int dirfd, const char *path, int flags, char *const argv[], const struct carried *carried);

/* The same for execvp(3), which looks in PATH for a name without a slash. */
bool start_exec_in_path(const char *file, char *const argv[], const struct carried *carried);

/* Those arguments of posix_spawn(3) that nobody changes. */
struct start_spawn {
    pid_t *pid;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
    char *const *argv;
};

enum { START_PLAINLY = -1 };

/*
 * The same for posix_spawn(3) and, with `search`, posix_spawnp(3): the program is looked for in the directory
 * that the actions (or NULL) change to. If that directory cannot be told, a relative path is not judged, and
 * must not be started when the run is strict. 0 when the program was started through portshim; EPERM or
 * ENOMEM as above; START_PLAINLY when the caller is to start it. Always leaves errno alone.
 */
int start_spawn(const struct start_spawn *spawn, const char *path, bool search,
                const struct carried *carried);

#endif
