/*
 * Before a program is started: whether the library will reach it (reach.h). One that it will not is noted in
 * the run and those around it, for the people who look at them (sighting.h), and not started when the run is
 * strict.
 *
 * For use between vfork(2) and exec, and in signal handlers; no point where a thread can be cancelled. What
 * cannot be opened is not judged.
 */
#ifndef SHIM_CALLS_START_H
#define SHIM_CALLS_START_H

#include <spawn.h>
#include <stdbool.h>

/* Whether a program may be started, the arguments as those of execveat(2). False with errno EPERM; else errno
 * is left alone. */
bool start_allowed(int dirfd, const char *path, int flags);

/* The same for execvp(3), which looks for a name without a slash in PATH. */
bool start_allowed_in_path(const char *file);

/*
 * The same for posix_spawn(3) and, with `search`, posix_spawnp(3): the program is looked for in the directory
 * that the actions (or NULL) change to. Where that cannot be told, a relative path is not judged, and not
 * started either when the run is strict. errno is left alone in any case.
 */
bool start_allowed_spawn(const posix_spawn_file_actions_t *actions, const char *path, bool search);

#endif
