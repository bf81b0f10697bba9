/*
 * A run's assignments as one process sees them. The library has one view: of the process that it is in.
 *
 * The assignments known at attach are copied into the view, so that a call costs one load from the process's
 * own memory, and so that a process which cannot open the map (after chroot or setuid) has them too: it reads
 * them from a variable (run/compact.h). The shared maps are asked only about late assignments and ports that
 * a command added since: first the map of the process's own run, then those of the runs around it.
 */
#ifndef SHIM_RULES_VIEW_H
#define SHIM_RULES_VIEW_H

#include "run/map.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { VIEW_MAPS = 16 /* nested runs, and the NULL at the end */ };

/* What came of assigning a real port to a late placeholder. */
enum refill {
    REFILL_ASSIGNED, /* this call assigned it */
    REFILL_STANDS,   /* another call did, or the entry is in use and stays */
    REFILL_NONE, /* no port is left, the port server gives none, or a seccomp filter keeps us from asking */
    REFILL_OUT_OF_REACH, /* this process cannot lease: after chroot, as another user, with no descriptor */
};

struct view {
    bool active;                /* else nothing is rewritten */
    bool reveal;                /* the program sees real ports */
    bool discover;              /* every fixed port is noted (rules/seen.h) */
    struct map *map[VIEW_MAPS]; /* innermost first, then NULL; all NULL when no map could be opened */

    /* The process: its pid when it attached, for the log, and its program, for sightings (rules/seen.h). */
    int pid;
    struct view_program {
        uint64_t device, inode; /* sighting_device(), once `settled`; 0 when they cannot be found out */
        const char *name;
    } program;
    /* Whether the program, `mixed` and the host's addresses are found out; what does so, if not. */
    atomic_bool settled;
    void (*settle)(void);
    /* The process may have sockets of kinds that are not translated (rules/kind.h). Once true it stays true,
     * as nobody notes when such a socket is closed. */
    atomic_bool mixed;
    /* How many seccomp filters the program has installed. Such a filter may kill the process for a system
     * call that the program never makes, so while there is one we make no call that we can do without. A
     * filter is counted before it is installed, as it may hit other threads before that call returns. */
    atomic_uint filters;

    /*
     * Called when the stock of a map is empty. Leases a port: for a late placeholder, instead of *entry, as
     * late_assign() does; or, if entry is NULL, for the alias of one that is assigned. Leaves errno alone.
     */
    enum refill (*refill)(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

    /* Called when a word of a map's notes may be worth telling (run/voice.h). NULL: nothing is told. Leaves
     * errno alone. True when it was told. */
    bool (*tell)(const struct view *view, const struct map *map, _Atomic uint64_t *word);

    /* By port in host byte order; the entries are those of run/map.h. */
    uint32_t to_kernel[PORT_COUNT], to_program[PORT_COUNT];
};

/* Adds a map, the innermost run's first. That one's assignments are copied, and passed over when it is asked
 * later. False when there is no room. */
bool view_add_map(struct view *view, struct map *map);

/* Ends all rewriting. */
void view_drop(struct view *view);

/* Enters one assignment, ports in host byte order. compact_read() (run/compact.h) calls it with a view. */
void view_assign(void *view, unsigned placeholder, unsigned real, unsigned alias,
                 uint32_t protocols_and_flags);

/* Before the rules ask for one of these: see process/settle.h. */
static inline void view_settle(const struct view *view)
{
    if (view->active && !atomic_load_explicit(&view->settled, memory_order_acquire))
        view->settle();
}

static inline bool view_is_filtered(const struct view *view)
{
    return atomic_load_explicit(&view->filters, memory_order_relaxed) != 0;
}

/* What a port means: its entry, 0 while it has none, and the map that holds the entry or will hold it, NULL
 * when the entry was known at attach. Neither when the port is not translated. */
struct view_found {
    uint32_t entry;
    struct map *map;
};

/*
 * What the program does with the port. VIEW_BIND: a late placeholder gets its real port in the innermost run
 * that has it. VIEW_REACH (connect or send): it is a placeholder only if it was listed by number or has been
 * bound, else the port means what it means in the runs around. One in the kernel's ephemeral range must have
 * been bound: before that, the kernel may have given the number to a socket of this run.
 */
enum view_use { VIEW_BIND, VIEW_REACH };

/* Looks a port up in one shared map. */
struct view_found view_look(struct map *map, unsigned port, enum view_use use);

/* Whether map i may have more than what was copied: the innermost when it grows, the others always. */
static inline bool view_asks(const struct view *view, unsigned i)
{
    return i > 0 || map_grows(view->map[i]);
}

/* Whether a port of the kernel's means something in a run inside the run of map i. */
static inline bool view_means_inside(const struct view *view, unsigned i, unsigned real)
{
    uint32_t entry = view->to_program[real];
    while (entry == 0 && i-- > 0)
        entry = map_to_program(view->map[i], real);
    return entry != 0;
}

/* What a port (host byte order) named by the program means. */
static inline struct view_found view_to_kernel(const struct view *view, unsigned port, enum view_use use)
{
    struct view_found found = {.entry = view->to_kernel[port]};
    for (unsigned i = 0; found.entry == 0 && found.map == NULL && view->map[i] != NULL; i++)
        if (view_asks(view, i)) {
            found = view_look(view->map[i], port, use);
            /* Skip an outer run's alias for a number that has another meaning inside that run. */
            if (i > 0 && (found.entry & MAP_ALIAS) != 0 &&
                view_means_inside(view, i, map_entry_port(found.entry)))
                found = (struct view_found){.entry = 0};
        }
    return found;
}

/* The entry of a port (host byte order) named by the kernel; 0 when it is not translated. */
static inline uint32_t view_to_program(const struct view *view, unsigned port)
{
    uint32_t entry = view->to_program[port];
    for (unsigned i = 0; entry == 0 && view->map[i] != NULL; i++) {
        if (view_asks(view, i))
            entry = map_to_program(view->map[i], port);
        /* Skip an outer run's placeholder whose number means another port in here. */
        if (i > 0 && entry != 0 &&
            map_entry_port(view_to_kernel(view, map_entry_port(entry), VIEW_REACH).entry) != port)
            entry = 0;
    }
    return entry;
}

/* Whether the port (host byte order) is a real port in a run around the run of this map. */
bool view_is_real_around(const struct view *view, const struct map *map, unsigned port);

/* Notes, in this run and in those around it with the same assignment, that a placeholder was bound. */
void view_note_bound(const struct view *view, unsigned placeholder);

/* Wakes every `portshim wait` for a port of this run or of a run around it. Leaves errno alone. */
void view_wake(const struct view *view);

/* Notes, in this run and in those around it, that a program is about to be executed. */
void view_note_exec(const struct view *view);

/* Writes a record to the log of the innermost run. */
void view_log(const struct view *view, enum map_event event, unsigned placeholder, unsigned real, int error);

#endif
