/*
 * Leasing a port inside the program, for a late placeholder when the run's stock is empty.
 */
#ifndef SHIM_PROCESS_REFILL_H
#define SHIM_PROCESS_REFILL_H

#include "rules/view.h"

/*
 * The `refill` of this process's view (rules/view.h): leases a port, and refills the run's stock as well.
 * Unlike the rest of the library it makes many system calls. It runs uncancelled on a stack of its own.
 */
enum refill refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

#endif
