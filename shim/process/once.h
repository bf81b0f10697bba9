/*
 * Doing something once in a process while other threads wait for it. If one of these forks meanwhile, its
 * child must not wait for a thread that the child does not have.
 */
#ifndef SHIM_PROCESS_ONCE_H
#define SHIM_PROCESS_ONCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Returns when *done is 1. The first caller runs `work`, uncancelled and with signals blocked; others wait. A
 * call from within `work`, or from the handler of a fault in it, returns at once. A child forked meanwhile
 * runs `work` itself, in a copy of its parent's memory with the work half done: `again` is true then, and
 * `work` must reset that first. A child of vfork(2) waits for its parent's thread. Leaves errno alone.
 * Async-signal-safe if `work` is.
 *
 * Signals that would end or stop the process are blocked too if `brief`, which says that `work` takes about a
 * second at most. Makes two system calls then in a process with one thread (glibc 2.32).
 */
void once(_Atomic uint32_t *done, void (*work)(bool again), bool brief);

/* Whether this is the process's only thread. False when that is not known. No system call. */
bool once_alone(void);

#endif
