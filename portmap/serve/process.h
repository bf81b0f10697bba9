/*
 * Whose process it is, as far as a port server wants to know.
 */
#ifndef PORTMAP_SERVE_PROCESS_H
#define PORTMAP_SERVE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The real user of a process, and whether it is in another pid namespace than this one; false when that
 * cannot be read. */
bool serve_process_look(pid_t pid, uid_t *uid, bool *foreign);

#endif
