/*
 * Which processes have a socket: what lsof(8) finds out, for sockets that are known by their inodes.
 */
#ifndef PORTMAP_HOST_SOCKET_OWNERS_H
#define PORTMAP_HOST_SOCKET_OWNERS_H

#include <sys/types.h>

/* Called for each process that has the wanted socket open. */
typedef void socket_owner_visit(unsigned wanted, pid_t pid, void *context);

/*
 * Looks through the descriptors of all processes that this one may look into (proc(5), /proc/PID/fd) for
 * sockets with these inodes, in ascending order.
 */
void socket_owners(const unsigned long *inodes, unsigned count, socket_owner_visit *visit, void *context);

/* The name of a process (comm) in name[size]; empty when it cannot be read. */
void process_name(pid_t pid, char *name, size_t size);

/* Its command line, with spaces between the words; its name in brackets when it has none; NULL when there is
 * no memory. To be freed. */
char *process_command(pid_t pid);

#endif
