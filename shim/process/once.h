/*
 * Doing a thing once in a process, whose other threads wait for it, where a fork in the middle of it must not
 * leave a child that waits for a thread it does not have.
 */
#ifndef SHIM_PROCESS_ONCE_H
#define SHIM_PROCESS_ONCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Returns when *done is 1. The first caller runs `work`, with signals blocked and uncancelled; the others
 * wait. A call from within `work`, or from a handler of a fault in it, returns at once. A child that was
 * forked meanwhile begins anew, on whatever its parent had done so far: `again` is told so, and puts that
 * back first. After vfork(2) the parent's work is waited for. Leaves errno alone. Async-signal-safe as far as
 * the work is.
 */
void once(_Atomic uint32_t *done, void (*work)(bool again));

#endif
