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

enum { TABLE_MAPS = 16 /* runs inside runs */ };

struct table {
    bool active;                 /* anything may be rewritten at all */
    bool reveal;                 /* the program sees real ports */
    bool discover;               /* every fixed port is noted (notice.h) */
    struct map *map[TABLE_MAPS]; /* innermost first, NULL at the end and where no map could be opened */
    int pid;                     /* when the process attached, for the log */
    uint32_t to_kernel[PORT_COUNT], to_program[PORT_COUNT];
};

extern struct table table;

/* Copies a map's assignments and keeps the map; the first one called for is the innermost. False when full.
 */
bool table_add_map(struct map *map);

/* From now on nothing is rewritten. */
void table_drop(void);

/* Enters one assignment, as compact_read() reports it. */
void table_assign(unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols_and_flags);

/* What a port that the program names is: an entry, or one that may be made, and the map it is (to be) in
 * where it is not known since the start. Neither when the port is nobody's. */
struct table_found {
    uint32_t entry;
    struct map *map;
};

/*
 * Binding gives a late placeholder its real port in the innermost run that has it; to be reached, it must
 * have been listed by number or bound, else the port means what it means around that run. One that the kernel
 * hands out by itself must have been bound: until then a socket of this run may be there, which was given the
 * number and goes by it.
 */
enum table_use { TABLE_BIND, TABLE_REACH };

struct table_found table_look(struct map *map, unsigned port, enum table_use use);

/* Whether a map has more than what was copied: the innermost when it grows, the others always. */
static inline bool table_asks(unsigned i)
{
    return i > 0 || atomic_load_explicit(&table.map[i]->grows, memory_order_relaxed);
}

/* Whether a number of the kernel's means something in the runs that are inside of map i's. */
static inline bool table_means_inside(unsigned i, unsigned real)
{
    uint32_t entry = table.to_program[real];
    while (entry == 0 && i-- > 0)
        entry = atomic_load(&table.map[i]->to_program[real]);
    return entry != 0;
}

/* The port (host byte order) is one that the program names, or that the kernel does; entry 0 when it is
 * nobody's. */
static inline struct table_found table_to_kernel(unsigned port, enum table_use use)
{
    struct table_found found = {.entry = table.to_kernel[port]};
    for (unsigned i = 0; found.entry == 0 && found.map == NULL && table.map[i] != NULL; i++)
        if (table_asks(i)) {
            found = table_look(table.map[i], port, use);
            /* An outer run's name for a number that has another one in here. */
            if (i > 0 && (found.entry & MAP_ALIAS) != 0 && table_means_inside(i, map_entry_port(found.entry)))
                found = (struct table_found){.entry = 0};
        }
    return found;
}

static inline uint32_t table_to_program(unsigned port)
{
    uint32_t entry = table.to_program[port];
    for (unsigned i = 0; entry == 0 && table.map[i] != NULL; i++) {
        if (table_asks(i))
            entry = atomic_load(&table.map[i]->to_program[port]);
        /* A number that means another port in this run is not to be used for an outer run's. */
        if (i > 0 && entry != 0 &&
            map_entry_port(table_to_kernel(map_entry_port(entry), TABLE_REACH).entry) != port)
            entry = 0;
    }
    return entry;
}

/* Whether the runs around the one of this map have the port (host byte order) as a real one. */
bool table_is_real_around(const struct map *map, unsigned port);

/* Notes, in this run and in those around it that have the same assignment, that a placeholder was bound. */
void table_note_bound(unsigned placeholder);

/* Wakes those who wait for a port of this run or of one around it. errno is left alone. */
void table_wake(void);

/* Writes to the innermost run's log. */
void table_log(enum map_event event, unsigned placeholder, unsigned real, int error);

#endif
