/*
 * How a supervisor gets real ports for late placeholders: the refill of its views (rules/view.h).
 */
#ifndef SHIM_TRAP_REFILL_H
#define SHIM_TRAP_REFILL_H

#include "rules/view.h"

enum refill trap_refill(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

#endif
