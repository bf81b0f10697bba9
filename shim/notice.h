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

/* Notes which program this is. One stat(2), at attach. */
void notice_init(void);

/*
 * After bind(2) of an address with no placeholder in it: `error` is 0 or its errno. Makes no system call,
 * unless all fixed ports are being discovered. Leaves errno alone.
 */
void notice_bind(int fd, const struct sockaddr *address, socklen_t len, int error);

/* A library is loaded past this one, or would have been: one of the kinds of sighting that say so. */
void notice_load(enum sighting_kind kind);

/* Before a connection or datagram to a port of this host, while all fixed ports are being discovered. */
void notice_destination(int fd, const struct sockaddr *address, socklen_t len);

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
