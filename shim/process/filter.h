/*
 * Whether the program has installed a seccomp filter of its own.
 *
 * Such a filter may kill the process for a system call that the program itself never makes. From then on, the
 * library makes no call of its own that it can do without. A filter that was there at the start, such as a
 * container's, lets programs start and changes nothing.
 *
 * The library sees prctl(2), and seccomp(2) by syscall(2), on their way through libc (calls/prctl.c), and
 * changes nothing in them. A filter of a child between vfork(2) and exec counts for its parent too, and one
 * of a thread for all threads: this errs on the safe side.
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
