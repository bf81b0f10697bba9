/*
 * A run's assignments as one process sees them: the library has one view, of the process that it is in.
 *
 * What is known at attach is copied into the view: the map of a late joiner's run may be beyond reach after
 * chroot or setuid, and a load from memory of its own is all that a call costs. Only for late assignments,
 * and ports that a command added since, are the shared maps asked: the run's own, then those of the runs
 * around it.
 */
#ifndef SHIM_RULES_VIEW_H
#define SHIM_RULES_VIEW_H

#include "run/map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { VIEW_MAPS = 16 /* runs inside runs */ };

/* What came of assigning a late placeholder. */
enum refill {
    REFILL_ASSIGNED, /* it was this call that did */
    REFILL_STANDS,   /* another did, or the entry is in use already */
    REFILL_NONE, /* no port is left, the run's port server gives none, or a seccomp filter forbids to ask */
    REFILL_OUT_OF_REACH, /* none can be leased from here: after chroot, as another user, with no descriptor
                            left */
};

struct view {
    bool active;                /* anything may be rewritten at all */
    bool reveal;                /* the program sees real ports */
    bool discover;              /* every fixed port is noted (seen.h) */
    struct map *map[VIEW_MAPS]; /* innermost first, NULL at the end and where no map could be opened */

    /* The process: its number when it attached, for the log, and its program, for what is seen of it. */
    int pid;
    struct view_program {
        uint64_t device, inode; /* sighting_device() */
        const char *name;
    } program;
    /* It may have sockets of another kind than placeholders are about (kind.h). Never taken back: descriptors
     * are not tracked. */
    atomic_bool mixed;
    /* How many seccomp filters of its own it has, which may end it for a call that the program never makes:
     * then nothing is asked of the kernel that can be done without. Counted before one is installed: a thread
     * that looks meanwhile may be under it already. */
    atomic_uint filters;

    /*
     * Leases a port where a run's stock has none: puts it in place of *entry of a late placeholder, or, where
     * entry is NULL, gives one that is assigned its alias (late.h). Leaves errno alone.
     */
    enum refill (*refill)(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

    uint32_t to_kernel[PORT_COUNT], to_program[PORT_COUNT];
};

/* Copies a map's assignments and keeps the map; the first one called for is the innermost. False when full.
 */
bool view_add_map(struct view *view, struct map *map);

/* From now on nothing is rewritten. */
void view_drop(struct view *view);

/* Enters one assignment, as compact_read() reports it to a view. */
void view_assign(void *view, unsigned placeholder, unsigned real, unsigned alias,
                 uint32_t protocols_and_flags);

static inline bool view_is_filtered(const struct view *view)
{
    return atomic_load_explicit(&view->filters, memory_order_relaxed) != 0;
}

/* What a port that the program names is: an entry, or one that may be made, and the map it is (to be) in
 * where it is not known since the start. Neither when the port is nobody's. */
struct view_found {
    uint32_t entry;
    struct map *map;
};

/*
 * Binding gives a late placeholder its real port in the innermost run that has it; to be reached, it must
 * have been listed by number or bound, else the port means what it means around that run. One that the kernel
 * hands out by itself must have been bound: until then a socket of this run may be there, which was given the
 * number and goes by it.
 */
enum view_use { VIEW_BIND, VIEW_REACH };

struct view_found view_look(struct map *map, unsigned port, enum view_use use);

/* Whether a map has more than what was copied: the innermost when it grows, the others always. */
static inline bool view_asks(const struct view *view, unsigned i)
{
    return i > 0 || atomic_load_explicit(&view->map[i]->grows, memory_order_relaxed);
}

/* Whether a number of the kernel's means something in the runs that are inside of map i's. */
static inline bool view_means_inside(const struct view *view, unsigned i, unsigned real)
{
    uint32_t entry = view->to_program[real];
    while (entry == 0 && i-- > 0)
        entry = atomic_load(&view->map[i]->to_program[real]);
    return entry != 0;
}

/* The port (host byte order) is one that the program names, or that the kernel does; entry 0 when it is
 * nobody's. */
static inline struct view_found view_to_kernel(const struct view *view, unsigned port, enum view_use use)
{
    struct view_found found = {.entry = view->to_kernel[port]};
    for (unsigned i = 0; found.entry == 0 && found.map == NULL && view->map[i] != NULL; i++)
        if (view_asks(view, i)) {
            found = view_look(view->map[i], port, use);
            /* An outer run's name for a number that has another one in here. */
            if (i > 0 && (found.entry & MAP_ALIAS) != 0 &&
                view_means_inside(view, i, map_entry_port(found.entry)))
                found = (struct view_found){.entry = 0};
        }
    return found;
}

static inline uint32_t view_to_program(const struct view *view, unsigned port)
{
    uint32_t entry = view->to_program[port];
    for (unsigned i = 0; entry == 0 && view->map[i] != NULL; i++) {
        if (view_asks(view, i))
            entry = atomic_load(&view->map[i]->to_program[port]);
        /* A number that means another port in this run is not to be used for an outer run's. */
        if (i > 0 && entry != 0 &&
            map_entry_port(view_to_kernel(view, map_entry_port(entry), VIEW_REACH).entry) != port)
            entry = 0;
    }
    return entry;
}

/* Whether the runs around the one of this map have the port (host byte order) as a real one. */
bool view_is_real_around(const struct view *view, const struct map *map, unsigned port);

/* Notes, in this run and in those around it that have the same assignment, that a placeholder was bound. */
void view_note_bound(const struct view *view, unsigned placeholder);

/* Wakes those who wait for a port of this run or of one around it. errno is left alone. */
void view_wake(const struct view *view);

/* Writes to the innermost run's log. */
void view_log(const struct view *view, enum map_event event, unsigned placeholder, unsigned real, int error);

#endif
