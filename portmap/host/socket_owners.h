/*
 * Which processes have a socket open, as lsof(8) shows it, for sockets whose inode numbers are known.
 */
#ifndef PORTMAP_HOST_SOCKET_OWNERS_H
#define PORTMAP_HOST_SOCKET_OWNERS_H

#include <sys/types.h>

/* Called for each process that has a wanted socket open; `wanted` is its index in inodes[]. */
typedef void socket_owner_visit(unsigned wanted, pid_t pid, void *context);

/*
 * Looks through the descriptors of all processes that this one may inspect (proc(5), /proc/PID/fd) for
 * sockets with these inode numbers, which are in ascending order. May visit a process twice for one socket.
 */
void socket_owners(const unsigned long *inodes, unsigned count, socket_owner_visit *visit, void *context);

/* The name of a process (comm) in name[size]; empty when it cannot be read. */
void process_name(pid_t pid, char *name, size_t size);

/* Its command line, with spaces between the words, or its name in brackets when it has none. The caller frees
 * it. NULL when there is no memory. */
char *process_command(pid_t pid);

#endif
