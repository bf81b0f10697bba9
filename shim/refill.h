/*
 * Leasing inside the program, for late placeholders beyond the run's stock.
 */
#ifndef SHIM_REFILL_H
#define SHIM_REFILL_H

#include "map.h"

#include <stdbool.h>

/*
 * Puts a port in place of *entry of a late placeholder, 0 where it has none yet: one of the run's stock, or,
 * when that is empty, one that is leased now; then the stock is filled as well. True when it was this call
 * that assigned. *entry is what is in force, unchanged when no port could be had: the home is beyond reach
 * (chroot, another uid, a seccomp filter), descriptors have run out, or the pool is exhausted.
 *
 * Leaves errno alone. Leasing is the one thing in the library that takes several system calls. It runs on a
 * stack of its own, uncancelled.
 */
bool refill_assign(struct map *map, unsigned placeholder, uint32_t *entry);

#endif
