/*
 * Whether this process has installed a seccomp filter of its own.
 *
 * Such a filter may end the process for a call that the program never makes. From then on the library makes
 * no call of its own that it can do without: memory.c, host.c, kind.c, given.c, refill.c and notice.c look
 * here. A filter that was there before, a container's, lets a program start, and changes nothing.
 *
 * prctl(2), and seccomp(2) by syscall(), are seen on their way through libc; nothing of them is changed. What
 * a child between vfork(2) and exec installs counts for its parent too, and one thread's for all: the safe
 * side.
 */
#ifndef SHIM_FILTER_H
#define SHIM_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>

/* How often one was installed, or is about to be: a thread that asks meanwhile may be under it already. */
extern atomic_uint filter_count;

/* No system call. Async-signal-safe. */
static inline bool filter_is_installed(void)
{
    return atomic_load_explicit(&filter_count, memory_order_relaxed) != 0;
}

#endif
