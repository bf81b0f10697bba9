/*
 * Attaching: this process joins its run, once, in the constructor of this library or, if the constructor of
 * another library makes an interposed call before that, in the call. The calls of other threads wait until it
 * is done. A child that another thread forks meanwhile attaches by itself.
 *
 * PORTSHIM_RUN names the run. If its map cannot be opened (chroot, another uid, another mount namespace), the
 * private variable PORTSHIM_COMPACT has the assignments known at start (run/compact.h). By hand,
 * PORTSHIM_PORTS and PORTSHIM_MAP_FILE make a run or join one (process/by_hand.h). PORTSHIM=0 turns the
 * library off. An error ends the process with one line on stderr and status 125 (process/die.h).
 */
#ifndef SHIM_PROCESS_ATTACH_H
#define SHIM_PROCESS_ATTACH_H

#include "process/next.h"
#include "rules/view.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

extern struct view own_view; /* the run as this process sees it */

extern _Atomic uint32_t attach_done; /* 1 once this process has joined */

extern bool attach_keeps_deepbind; /* PORTSHIM_DEEPBIND says "keep": see calls/dlopen.c */

/*
 * Returns when this process has joined its run, or at once when called by the very code that joins it. The
 * joining thread is not cancelled meanwhile, and runs no signal handlers but those of faults. Leaves errno
 * alone.
 */
void attach(void);

/* Attaches if that is not done yet, and returns the functions behind ours. Every wrapper begins here. */
static inline const struct next *next(void)
{
    if (__builtin_expect(!atomic_load_explicit(&attach_done, memory_order_acquire), 0))
        attach();
    return &next_functions;
}

#endif
