/*
 * The map of one run: placeholder <=> real port, shared by all its processes.
 *
 * It is a file of fixed size in the run's directory. It is allocated whole before anyone maps it (a store
 * into a hole is SIGBUS when the disk is full), is never replaced, and is removed when the run is over. There
 * is a table for each direction, indexed by port, in host byte order. Every process of the run keeps the file
 * mapped, and thereby holds the shared lock that says that the run is alive: flock(2) locks the open file,
 * which the kernel keeps as long as a mapping of it: through fork, closing of all descriptors, chroot and
 * setuid.
 *
 * Stores that others may see are atomic. Nothing here holds a lock for which another process waits.
 */
#ifndef PORTMAP_RUN_MAP_H
#define PORTMAP_RUN_MAP_H

#include "host/process.h"
#include "run/portset.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAP_VERSION = 2,
    MAP_START_MAX = 4096, /* assignments that a process copies at attach: the run's own and inherited ones */
    MAP_STOCK = 16,       /* ports leased beforehand, for late assignments */
    MAP_LOG = 512,        /* records in the ring */
    MAP_ABOUT = 32768,    /* bytes of text about the run */
    MAP_PROGRAMS = 128,   /* programs that are remembered: run/sighting.h */
    MAP_SIGHTINGS = 1024, /* and what they were seen to do */
};

/* An entry of to_kernel[] or to_program[]: a port, its protocols, and where it comes from. 0 is no entry. */
#define MAP_PORT_MASK UINT32_C(0xffff)
#define MAP_PROTOCOLS_SHIFT 16
enum {
    MAP_ALIAS = 1 << 18,     /* one of the two entries of an alias: see map_enter_alias() */
    MAP_LATE = 1 << 19,      /* assigned when first bound, not at start */
    MAP_INHERITED = 1 << 20, /* copied from the outer run, which has leased the port */
    MAP_USED = 1 << 21,      /* a late one that a process other than its assigner has used: it stays */
    MAP_CHOSEN = 1 << 22,    /* a late one whose port the kernel chose: it is not leased */
};

static inline unsigned map_entry_port(uint32_t entry)
{
    return entry & MAP_PORT_MASK;
}

static inline unsigned map_entry_protocols(uint32_t entry)
{
    return entry >> MAP_PROTOCOLS_SHIFT & PORTMAP_BOTH;
}

enum map_event {
    MAP_EVENT_NONE,
    MAP_EVENT_ATTACH,  /* a process joined the run */
    MAP_EVENT_LATE,    /* a late placeholder got its real port */
    MAP_EVENT_SWAP,    /* a stock port was taken by a stranger, and another one used */
    MAP_EVENT_REFUSED, /* the kernel refused to bind a real port */
    MAP_EVENT_EMPTY,   /* no real port could be had for a late placeholder */
};

struct map_record {
    _Alignas(8) uint64_t clock; /* process_clock() */
    int32_t pid;                /* in the process's own pid namespace */
    uint16_t event;
    uint16_t placeholder;
    uint16_t real;
    int16_t error; /* errno */
    uint32_t padding;
};

struct map_program {
    _Atomic uint64_t device, inode; /* sighting_device(); inode 0: no entry */
    _Atomic uint32_t kind;          /* see run/sighting.c */
    char name[44];                  /* without its directories */
};

struct map {
    /* Written once, before the file gets its final name. */
    char magic[8];
    uint32_t version;
    uint32_t size;
    uint64_t run_id;
    uint64_t starter_start_time; /* process_start_time() */
    int32_t starter;             /* pid of the process that made the run */
    uint32_t pid_namespace;
    uint32_t net_namespace;
    uint32_t uid;
    char boot_id[BOOT_ID_SIZE];
    uint8_t reveal;   /* the program sees real ports */
    uint8_t discover; /* nothing is rewritten, but every fixed port is noted (run/sighting.h) */
    uint8_t strict;   /* programs that the library cannot reach are not started */
    uint16_t ephemeral_first, ephemeral_last; /* pool_ephemeral_range() */
    uint32_t padding2;
    uint64_t created; /* process_clock() */

    _Atomic uint32_t ready;      /* all that is known at start has been entered */
    _Atomic uint32_t ended;      /* the run is over and its leases are given back: nobody may join */
    _Atomic uint64_t dead_since; /* process_clock() when it was first found without any process, else 0 */

    /* For map_wake() and map_wait(). */
    _Atomic uint32_t generation;
    _Atomic uint32_t waiters;

    _Atomic uint32_t grows;       /* the tables may hold more than what a process copied when it attached */
    _Atomic uint32_t start_count; /* of start[] */
    _Atomic uint32_t stock[MAP_STOCK];
    _Atomic uint32_t late_count;     /* late assignments made so far */
    _Atomic uint32_t late_published; /* how many of them are in the map files */
    _Atomic uint32_t log_next;

    uint16_t start[MAP_START_MAX];  /* placeholders known at start, or added by a command */
    struct portbits late[2];        /* placeholders that may be assigned late: TCP, UDP */
    struct portbits late_listed[2]; /* of these, the ones listed by number */
    /* Placeholders that a program of the run has bound. */
    _Atomic uint64_t bound[PORTBITS_WORDS];
    /* Late placeholders whose number the kernel itself gave to a socket of the run. */
    _Atomic uint64_t given[PORTBITS_WORDS];
    _Atomic uint32_t to_kernel[PORT_COUNT];
    _Atomic uint32_t to_program[PORT_COUNT];
    struct map_record log[MAP_LOG];
    struct map_program programs[MAP_PROGRAMS]; /* see run/sighting.h */
    _Atomic uint64_t sightings[MAP_SIGHTINGS]; /* likewise */
    char about[MAP_ABOUT];                     /* KEY=VALUE texts, each terminated; an empty one is the end */
};

_Static_assert(offsetof(struct map, created) == 96, "the layout of the map is a file format");
_Static_assert(offsetof(struct map, generation) == 120, "the layout of the map is a file format");
_Static_assert(offsetof(struct map, late) == 8408, "the layout of the map is a file format");
_Static_assert(offsetof(struct map, log) == 581848, "the layout of the map is a file format");
_Static_assert(sizeof(struct map) == 643288, "the layout of the map is a file format");
_Static_assert(sizeof(struct map_record) == 24, "the layout of the map is a file format");
_Static_assert(sizeof(struct map_program) == 64, "the layout of the map is a file format");

/* Makes the map of a run in its directory, mapped and locked as for a process that has attached. Fills in the
 * fields about the run from this process; `ready` is unset. 0 or a negated errno. */
int map_create(struct map **map, int run_dir, uint64_t run_id);

/*
 * Opens and maps the map of a run directory, a path relative to `dir`. Returns the descriptor, for callers
 * that want locks; PORTMAP_ETORN when it is not a map of this version; -ENODATA when nothing was written to
 * it, as after a power cut; PORTMAP_EFOREIGN when it is not a regular file of this user; or another negated
 * errno.
 */
int map_open(struct map **map, int dir, const char *run);

/* Joins the run: opens its map, takes the shared lock and closes the descriptor. Blocks only while another
 * process judges whether the run is dead (microseconds). 0; PORTMAP_EENDED; or an error as above. */
int map_attach(struct map **map, const char *run_path);

/* The same without the lock, only to look: the run may have ended, or end meanwhile. */
int map_view(struct map **map, const char *run_path);

void map_detach(struct map *map);

/*
 * Enters one assignment, in both tables. A number has one meaning in each table: an alias with the
 * placeholder's number, and one with the real port's, are removed. Only one caller at a time, beside any
 * number of late assignments.
 */
void map_assign(struct map *map, unsigned placeholder, unsigned real, uint32_t protocols_and_flags);

/*
 * Gives an assigned placeholder an alias, which it needs if the kernel may hand out its number by itself. A
 * socket that gets that number from the kernel must not look as if it were bound to the placeholder. So the
 * program is told the number `alias` for it, and `alias` leads back to the number: two more entries, one in
 * each table. False, and nothing is entered, when one of the two numbers means something already: the alias
 * is a placeholder, or the placeholder's number a real port of this run, which the kernel gives to nobody.
 * `whose` is MAP_INHERITED for an alias that the outer run has leased, else 0. Lock-free, async-signal-safe.
 */
bool map_enter_alias(struct map *map, unsigned placeholder, unsigned alias, uint32_t whose);

/* Removes an assignment that no program can have used. */
void map_unassign(struct map *map, unsigned placeholder);

/* Adds a placeholder to start[]; PORTMAP_ETOOMANY when that is full. Only one caller at a time. */
int map_list(struct map *map, unsigned placeholder);

/* Whether the kernel may hand out a port by itself. */
static inline bool map_is_ephemeral(const struct map *map, unsigned port)
{
    return port >= map->ephemeral_first && port <= map->ephemeral_last;
}

/* The real port of a placeholder; 0 when it is not assigned (yet). */
unsigned map_real(const struct map *map, unsigned placeholder);

/* What the program is told for a socket that the kernel put on a placeholder's number; 0: no alias. */
unsigned map_alias(const struct map *map, unsigned placeholder);

/* The protocols for which a port may be assigned late; 0: none. */
unsigned map_late_protocols(const struct map *map, unsigned placeholder);

/* The protocols for which a port is a placeholder, assigned or late; 0 when it is none. */
unsigned map_protocols(const struct map *map, unsigned placeholder);

/*
 * Puts a port of the stock in place of *entry of a late placeholder. *entry is 0, or an entry whose port a
 * stranger has taken. Then *entry is the entry in force; it is unchanged when the stock is empty. True when
 * this call assigned the port; when several processes try at once, one is told true, and all get its entry.
 * An entry that has been shared, by map_share_late(), is not replaced. Lock-free, async-signal-safe.
 */
bool map_take_late(struct map *map, unsigned placeholder, uint32_t *entry);

/* The same with a port that the caller has leased for it, and keeps when the answer is false. If *entry is
 * unchanged then, the port means something else already. */
bool map_enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry);

/*
 * The same with a port that the kernel chose for a socket, which still holds it. Also false, with *entry
 * unchanged, when the number means something in the run already: it is a real port or an alias, was listed,
 * or was given to another socket.
 */
bool map_choose_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry);

/*
 * Gives an assigned late placeholder an alias from the stock, if it is in the ephemeral range, has none yet,
 * and its number is not a real port of this run. False when the stock is empty. Lock-free, async-signal-safe.
 */
bool map_alias_late(struct map *map, unsigned placeholder);

/* Called before a process uses a late entry that it did not assign itself: from then on the entry cannot be
 * replaced. Returns the entry in force, which may not be the one that was looked up before. */
uint32_t map_share_late(struct map *map, unsigned placeholder);

/* Puts a leased port into the stock; false when it is full. */
bool map_stock_put(struct map *map, unsigned port);

/* Takes this very port out of the stock; false when it is not in it (any more). */
bool map_stock_remove(struct map *map, unsigned port);

/* Wakes those who wait for a port, as something may have changed: one store, and futex(2) if any wait. */
void map_wake(struct map *map);

/* Sleeps until map_wake(), or for `milliseconds`. `seen` is `generation`, read before looking at the map. */
void map_wait(struct map *map, uint32_t seen, unsigned milliseconds);

/* Appends a record to the log, over the oldest one. Lock-free, async-signal-safe, no system call. */
void map_log(struct map *map, enum map_event event, int pid, unsigned placeholder, unsigned real, int error);

/* Whether a process has joined the run since log_next was `from`; true also when the log has lost track. */
bool map_was_joined(const struct map *map, uint32_t from);

/* Notes that a program of the run has bound a placeholder. */
static inline void map_note_bound(struct map *map, unsigned placeholder)
{
    uint64_t bit = UINT64_C(1) << (placeholder % 64);
    if (!(atomic_load_explicit(&map->bound[placeholder / 64], memory_order_relaxed) & bit))
        atomic_fetch_or(&map->bound[placeholder / 64], bit);
}

static inline bool map_was_bound(const struct map *map, unsigned placeholder)
{
    return atomic_load(&map->bound[placeholder / 64]) >> (placeholder % 64) & 1;
}

/* The subjects of the texts about the run. */
enum map_about {
    MAP_ABOUT_COMMAND, /* the command, for people */
    MAP_ABOUT_NAME,    /* may be there twice: see name_given() */
    MAP_ABOUT_OUTER,   /* the directory of the run around it */
    MAP_ABOUT_SERVER,  /* present when nothing may be leased without a port server */
    MAP_ABOUT_FILE,    /* a map file to publish; any number */
};

/* Adds a text about the run; false when it does not fit. Only before the map is ready. */
bool map_about_add(struct map *map, enum map_about key, const char *value);

/* The value of the n-th text (from 0) with this key; NULL when there is none. */
const char *map_about(const struct map *map, enum map_about key, unsigned n);

#endif
