/*
 * Before a program is started: whether the library will reach it (program/reach.h). A program that it will
 * not reach is noted in the run and those around it, for people who look at them (run/sighting.h), and is not
 * started when the run is strict. What cannot be opened is not judged.
 *
 * Callable between vfork(2) and exec, and in signal handlers. No cancellation points.
 */
#ifndef SHIM_CALLS_START_H
#define SHIM_CALLS_START_H

#include <spawn.h>
#include <stdbool.h>

/* Whether a program may be started; the arguments are execveat(2)'s. When false, errno is EPERM; else errno
 * is left alone. */
bool start_allowed(int dirfd, const char *path, int flags);

/* The same for execvp(3), which looks in PATH for a name without a slash. */
bool start_allowed_in_path(const char *file);

/*
 * The same for posix_spawn(3) and, with `search`, posix_spawnp(3): the program is looked for in the directory
 * that the actions (or NULL) change to. If that directory cannot be told, a relative path is not judged, and
 * must not be started when the run is strict. Always leaves errno alone.
 */
bool start_allowed_spawn(const posix_spawn_file_actions_t *actions, const char *path, bool search);

#endif
