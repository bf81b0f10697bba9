/*
 * Leasing inside the program, for late placeholders beyond the run's stock.
 */
#ifndef SHIM_REFILL_H
#define SHIM_REFILL_H

#include "map.h"

#include <stdint.h>

/*
 * Puts a port in place of *entry of a late placeholder, 0 where it has none yet: one of the run's stock, or,
 * when that is empty, one that is leased now; then the stock is filled as well. *entry is what is in force,
 * unchanged when no port could be had.
 *
 * Leaves errno alone. Leasing is the one thing in the library that takes several system calls. It runs on a
 * stack of its own, uncancelled.
 */
enum refill {
    REFILL_ASSIGNED, /* it was this call that did */
    REFILL_STANDS,   /* another did, or the entry is in use already */
    REFILL_NONE, /* no port is left, the run's port server gives none, or a seccomp filter forbids to ask */
    REFILL_OUT_OF_REACH, /* none can be leased from here: after chroot, as another user, with no descriptor
                            left */
};
enum refill refill_assign(struct map *map, unsigned placeholder, uint32_t *entry);

#endif
