/*
 * Leasing inside the program, for late placeholders beyond the run's stock.
 */
#ifndef SHIM_PROCESS_REFILL_H
#define SHIM_PROCESS_REFILL_H

#include "rules/view.h"

/*
 * The refill of this process' view (view.h): leases a port, and fills the run's stock as well. It is the one
 * thing in the library that takes several system calls, and runs on a stack of its own, uncancelled.
 */
enum refill refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

#endif
