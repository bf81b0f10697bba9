/*
 * Joining the run: once, in the constructor, or at the first interposed call if another library's constructor
 * makes one before. Other threads' calls wait until that is done; a child that is forked meanwhile, by
 * another thread, joins by itself.
 *
 * PORTSHIM_RUN names the run; where its map cannot be opened (chroot, another uid, another mount namespace)
 * the private variable of compact.h tells what was known at start. By hand, PORTSHIM_PORTS and
 * PORTSHIM_MAP_FILE make a run or join the one that the map file names. PORTSHIM=0 turns the library off.
 * What is wrong is one line on stderr and exit status 125: nothing runs unprotected unsaid.
 */
#ifndef SHIM_PROCESS_ATTACH_H
#define SHIM_PROCESS_ATTACH_H

#include "process/next.h"
#include "rules/view.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

extern struct view own_view; /* the run as this process sees it */

extern _Atomic uint32_t attach_done; /* 0, 1 */

extern bool attach_keeps_deepbind; /* PORTSHIM_DEEPBIND says "keep": see calls/dlopen.c */

/*
 * Returns when this process has joined the run, or at once where the caller is what joins it. Signal handlers
 * of the joining thread run afterwards, but for those of faults; it is not cancelled meanwhile. errno is left
 * alone.
 */
void attach(void);

/* The functions behind ours, ready to be called; every wrapper begins here. */
static inline const struct next *next(void)
{
    if (__builtin_expect(!atomic_load_explicit(&attach_done, memory_order_acquire), 0))
        attach();
    return &next_functions;
}

#endif
