/*
 * Whether this process has installed a seccomp filter of its own.
 *
 * Such a filter may end the process for a call that the program never makes. From then on the library makes
 * no call of its own that it can do without. A filter that was there before, a container's, lets a program
 * start, and changes nothing.
 *
 * prctl(2), and seccomp(2) by syscall(), are seen on their way through libc; nothing of them is changed. What
 * a child between vfork(2) and exec installs counts for its parent too, and one thread's for all: the safe
 * side.
 */
#ifndef SHIM_PROCESS_FILTER_H
#define SHIM_PROCESS_FILTER_H

#include "process/attach.h"

/* No system call. Async-signal-safe. */
static inline bool filter_is_installed(void)
{
    return view_is_filtered(&own_view);
}

#endif
