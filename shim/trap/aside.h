/*
 * Getting out of the program's way: its supervisor and, in the proxy's shape, the process that waits for it
 * are forks of the process that executes the program. Nothing that the program inherited may stay in use
 * because of them.
 */
#ifndef SHIM_TRAP_ASIDE_H
#define SHIM_TRAP_ASIDE_H

#include <sys/types.h>

/* Leaves the working directory, and closes all descriptors but those; the standard ones then lead to
 * /dev/null, as far as they are not among them. */
void aside_let_go(const int *kept, unsigned count);

/* For a process that works for long: may have as many descriptors, as much memory and time as the user may
 * have at all, and writes no core. */
void aside_lift_limits(void);

/* What ps(1) shows as this process's command line from now on: "portshim ROLE PID". */
void aside_set_name(const char *role, pid_t pid);

#endif
