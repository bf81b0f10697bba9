/*
 * Leasing inside the program, for late placeholders beyond the run's stock.
 */
#ifndef SHIM_REFILL_H
#define SHIM_REFILL_H

#include "map.h"

#include <stdbool.h>

/*
 * Fills the stock of the innermost run whose map this is. False when this process cannot: the home is beyond
 * reach (chroot, another uid), descriptors have run out, or the pool is exhausted. Leaves errno alone. This
 * is the one thing in the library that takes several system calls. It runs on a stack of its own,
 * uncancelled.
 */
bool refill(struct map *map);

#endif
