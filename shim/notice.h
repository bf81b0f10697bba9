/*
 * Noticing what a program does besides its placeholders, for the people who look at the run (sighting.h):
 * fixed ports that nobody listed, and programs that the library will not reach.
 */
#ifndef SHIM_NOTICE_H
#define SHIM_NOTICE_H

#include "sighting.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * Before a program is started, the arguments as those of execveat(2). One stat(2), and, unless the run knows
 * the file by its inode, one open(2) and reading; what cannot be opened is not judged. False, with errno
 * EPERM, when it is not to be started: the run is strict, and the library would not reach the program. Else
 * errno is left alone. For use between vfork(2) and exec, and in signal handlers; no point where a thread can
 * be cancelled.
 */
bool notice_exec(int dirfd, const char *path, int flags);

/* The same for execvp(3), which looks for a name without a slash in PATH. */
bool notice_exec_search(const char *file);

/*
 * The same for posix_spawn(3) and, with `search`, posix_spawnp(3): the program is looked for in the directory
 * that the actions (or NULL) change to. Where that cannot be told, a relative path is not judged, and not
 * started either when the run is strict. errno is left alone in any case.
 */
bool notice_spawn(const posix_spawn_file_actions_t *actions, const char *path, bool search);

#endif
