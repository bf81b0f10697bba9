/*
 * The run's assignments as this process sees them.
 *
 * What is known at attach is copied into the library's own memory: the map of a late joiner's run may be
 * beyond reach after chroot or setuid, and a load from it is all that a call costs. Only for late
 * assignments, and ports that a command added since, are the shared maps asked: the run's own, then those of
 * the runs around it.
 */
#ifndef SHIM_TABLE_H
#define SHIM_TABLE_H

#include "map.h"

#include <stdbool.h>
#include <stdint.h>

enum { TABLE_MAPS = 8 /* runs inside runs */ };

struct table {
    bool active;                 /* anything may be rewritten at all */
    bool reveal;                 /* the program sees real ports */
    struct map *map[TABLE_MAPS]; /* innermost first, NULL at the end and where no map could be opened */
    int pid;                     /* when the process attached, for the log */
    uint32_t to_kernel[PORT_COUNT], to_program[PORT_COUNT];
};

extern struct table table;

/* Copies a map's assignments and keeps the map; the first one called for is the innermost. False when full.
 */
bool table_add_map(struct map *map);

/* Enters one assignment, as compact_read() reports it. */
void table_assign(unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols_and_flags);

/* The entry for a port (host byte order) that the program names, or that the kernel does; 0 when there is
 * none. */
static inline uint32_t table_to_kernel(unsigned port)
{
    uint32_t entry = table.to_kernel[port];
    for (unsigned i = 0; entry == 0 && table.map[i] != NULL; i++)
        if (atomic_load_explicit(&table.map[i]->grows, memory_order_relaxed))
            entry = atomic_load(&table.map[i]->to_kernel[port]);
    return entry;
}

static inline uint32_t table_to_program(unsigned port)
{
    uint32_t entry = table.to_program[port];
    for (unsigned i = 0; entry == 0 && table.map[i] != NULL; i++)
        if (atomic_load_explicit(&table.map[i]->grows, memory_order_relaxed))
            entry = atomic_load(&table.map[i]->to_program[port]);
    return entry;
}

/* The map in which a port may be assigned late, NULL when in none. */
struct map *table_late_map(unsigned port);

/* The same for ports that were listed by number: those are the run's also for clients, before anybody bound
 * them. */
struct map *table_late_listed_map(unsigned port);

/* Wakes those who wait for a port of this run or of one around it. errno is left alone. */
void table_wake(void);

/* Writes to the innermost run's log. */
void table_log(enum map_event event, unsigned placeholder, unsigned real, int error);

#endif
