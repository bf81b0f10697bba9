/*
 * Whose a process is, whether it is in the port server's pid namespace, and whether it has ended.
 */
#ifndef PORTMAP_SERVE_PROCESS_H
#define PORTMAP_SERVE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Finds the real user of a process, and whether it is in another pid namespace than this one. False when that
 * cannot be read. */
bool serve_process_look(pid_t pid, uid_t *uid, bool *foreign);

/* Whether the process of a pidfd has ended, though perhaps nobody has waited for it. False for -1. */
bool serve_process_has_ended(int pidfd);

#endif
