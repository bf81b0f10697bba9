/*
 * The map of one run: placeholder <=> real port, shared by all its processes.
 *
 * A file of fixed size in the run's directory, allocated whole before anyone maps it (a store to a hole of a
 * full disk is SIGBUS), replaced never, removed when the run is over. Ports are direct-indexed both ways, in
 * host byte order. Every process of the run holds the file mapped and, through that mapping, the shared lock
 * that says the run is alive: flock(2) belongs to the open file, which the kernel keeps as long as a mapping
 * does, through fork, closing of all descriptors, chroot and setuid.
 *
 * Stores that others may see are atomic; nothing in here takes a lock that another process waits for.
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
    MAP_START_MAX = 4096, /* assignments a process copies at attach: own ones and an outer run's */
    MAP_STOCK = 16,       /* ports leased beforehand, for late assignments */
    MAP_LOG = 512,        /* records in the ring */
    MAP_ABOUT = 32768,    /* bytes of text about the run */
    MAP_PROGRAMS = 128,   /* programs of the run that somebody will ask about */
    MAP_SIGHTINGS = 1024, /* what they were seen to do */
};

/* An entry of either table: a port, the protocols it holds for, and where it comes from. 0 is no entry. */
#define MAP_PORT_MASK UINT32_C(0xffff)
#define MAP_PROTOCOLS_SHIFT 16
enum {
    MAP_ALIAS = 1 << 18,     /* the way around a kernel number that is a placeholder: see map_enter_alias() */
    MAP_LATE = 1 << 19,      /* assigned from the stock, when first bound */
    MAP_INHERITED = 1 << 20, /* copied from the outer run, whose lease it is */
    MAP_USED = 1 << 21,      /* a late one that another than its assigner has used: it stays */
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
    int32_t pid;                /* as its own namespace numbers it */
    uint16_t event;
    uint16_t placeholder;
    uint16_t real;
    int16_t error; /* errno */
    uint32_t padding;
};

struct map_program {
    _Atomic uint64_t device, inode; /* sighting_device(); inode 0: no entry */
    _Atomic uint32_t kind;          /* sighting.c */
    char name[44];                  /* without its directories */
};

struct map {
    /* Written once, before the file has its name. */
    char magic[8];
    uint32_t version;
    uint32_t size;
    uint64_t run_id;
    uint64_t starter_start_time; /* process_start_time() */
    int32_t starter;             /* pid of who made the run */
    uint32_t pid_namespace;
    uint32_t net_namespace;
    uint32_t uid;
    char boot_id[BOOT_ID_SIZE];
    uint8_t reveal;   /* the program sees real ports */
    uint8_t discover; /* nothing is rewritten, but every fixed port is noted (sighting.h) */
    uint8_t strict;   /* programs that the library cannot reach are not started */
    uint16_t ephemeral_first, ephemeral_last; /* pool_ephemeral_range() */
    uint32_t padding2;
    uint64_t created; /* process_clock() */

    _Atomic uint32_t ready;      /* everything known at start is in */
    _Atomic uint32_t ended;      /* the run is over and its leases are given back: nobody may join */
    _Atomic uint64_t dead_since; /* process_clock() when it was first found without any process, else 0 */

    /* The wake-up word: see map_wake(). */
    _Atomic uint32_t generation;
    _Atomic uint32_t waiters;

    _Atomic uint32_t grows;       /* the tables may hold more than what a process copied when it attached */
    _Atomic uint32_t start_count; /* of start[] */
    _Atomic uint32_t stock[MAP_STOCK];
    _Atomic uint32_t late_count;     /* late assignments made so far */
    _Atomic uint32_t late_published; /* how many of them the map files have */
    _Atomic uint32_t log_next;

    uint16_t start[MAP_START_MAX];  /* placeholders known at start, or added by a command */
    struct portbits late[2];        /* placeholders that may be assigned late: TCP, UDP */
    struct portbits late_listed[2]; /* those of them that were listed by number */
    /* Placeholders that a program of the run has bound. */
    _Atomic uint64_t bound[PORTBITS_WORDS];
    /* Late placeholders that the kernel gave to a socket of the run by itself: one bit each. */
    _Atomic uint64_t given[PORTBITS_WORDS];
    _Atomic uint32_t to_kernel[PORT_COUNT];
    _Atomic uint32_t to_program[PORT_COUNT];
    struct map_record log[MAP_LOG];
    struct map_program programs[MAP_PROGRAMS]; /* see sighting.h */
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

/*
 * Makes the map of a run in its directory, mapped and locked as an attached process has it, `ready` unset.
 * The identity fields are filled in from this process. 0 or a negated errno.
 */
int map_create(struct map **map, int run_dir, uint64_t run_id);

/*
 * Opens and maps the map of a run directory, a path below `dir`. The descriptor, for whoever wants locks, or
 * PORTMAP_ETORN when it is not a map of this version; -ENODATA when nothing was written to it, as after a
 * power cut; PORTMAP_EFOREIGN when it is not a file of this user; or a negated errno.
 */
int map_open(struct map **map, int dir, const char *run);

/*
 * Joins the run: opens its map, takes the lock and closes the descriptor. Blocks only while somebody decides
 * whether the run is dead (microseconds). 0; PORTMAP_EENDED; or a code as above.
 */
int map_attach(struct map **map, const char *run_path);

/* The same without the lock, for whoever only looks: the run may die meanwhile, and ended ones can be seen.
 */
int map_view(struct map **map, const char *run_path);

void map_detach(struct map *map);

/*
 * Enters one assignment: there and back. Every number has one meaning on either side, so an alias that had
 * the placeholder's number, and one of the real port's, are taken out. Only one caller at a time, beside any
 * number of late assignments.
 */
void map_assign(struct map *map, unsigned placeholder, unsigned real, uint32_t protocols_and_flags);

/*
 * Where an assigned placeholder is a number that the kernel may hand out by itself, two more entries lead
 * around it: a socket that the kernel put on the placeholder's number is called `alias` by the program, and
 * the other way round, so that the program never sees as its own a number that means another socket. False,
 * and nothing is entered, when one of the two numbers means something already: the alias is a placeholder,
 * or the placeholder's number a real port of this run, which the kernel gives to nobody. `whose` is
 * MAP_INHERITED for an alias that the outer run has leased, else 0. Lock-free, async-signal-safe.
 */
bool map_enter_alias(struct map *map, unsigned placeholder, unsigned alias, uint32_t whose);

/* Takes an assignment back that no program can have used. */
void map_unassign(struct map *map, unsigned placeholder);

/* Adds a placeholder to start[]; PORTMAP_ETOOMANY when that is full. Only one caller at a time. */
int map_list(struct map *map, unsigned placeholder);

/* Whether the kernel may hand out a port by itself. */
static inline bool map_is_ephemeral(const struct map *map, unsigned port)
{
    return port >= map->ephemeral_first && port <= map->ephemeral_last;
}

/* What a placeholder is called by the kernel, 0 when it is not assigned (yet). */
unsigned map_real(const struct map *map, unsigned placeholder);

/* What the program calls a socket that the kernel put on a placeholder's number, 0 when there is no alias. */
unsigned map_alias(const struct map *map, unsigned placeholder);

/* The protocols a port may be assigned late for, 0 when it may not. */
unsigned map_late_protocols(const struct map *map, unsigned placeholder);

/* The protocols for which a port is a placeholder, assigned or late; 0 when it is none. */
unsigned map_protocols(const struct map *map, unsigned placeholder);

/*
 * Puts a port of the stock in place of *entry of a late placeholder: 0 where it has none yet, or one whose
 * port a stranger has taken. *entry is then what is in force, and unchanged when the stock is empty. True
 * when it was this call that assigned; of several processes at once, one is told so, and all get its entry.
 * An entry that has been shared is not replaced. Lock-free, async-signal-safe.
 */
bool map_take_late(struct map *map, unsigned placeholder, uint32_t *entry);

/* The same with a port that the caller has leased for it, and keeps when the answer is false; *entry is
 * unchanged then when it is that port that means something else already. */
bool map_enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry);

/*
 * The same with a port that the kernel chose for a socket that holds it, so that it is nobody else's now.
 * False as well, and *entry as it was, when the number means something in the run already: it is a real port
 * or an alias, was listed, or was given to another socket.
 */
bool map_choose_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry);

/*
 * Gives a late placeholder in the ephemeral range that has been assigned its alias, from the stock, unless it
 * has one or its number is a real port of this run. False when the stock is empty. Lock-free,
 * async-signal-safe.
 */
bool map_alias_late(struct map *map, unsigned placeholder);

/* Called before a late entry is used by anybody who did not assign it: from then on it cannot be swapped.
 * Returns the entry in force, as it may have been swapped since it was looked up. */
uint32_t map_share_late(struct map *map, unsigned placeholder);

/* Puts a leased port into the stock; false when it is full. */
bool map_stock_put(struct map *map, unsigned port);

/* Takes this very port out of the stock; false when it is not there (any more). */
bool map_stock_remove(struct map *map, unsigned port);

/* Tells those who wait for a port that something may have changed: one store, and a futex(2) wake if any
 * wait. */
void map_wake(struct map *map);

/* Sleeps until map_wake() or for at most the given time; seen is the generation read before looking. */
void map_wait(struct map *map, uint32_t seen, unsigned milliseconds);

/* Appends to the ring; the oldest record is overwritten. Lock-free, async-signal-safe, no system call. */
void map_log(struct map *map, enum map_event event, int pid, unsigned placeholder, unsigned real, int error);

/* Whether a process has joined the run, or so much has happened that nobody knows, since log_next was `from`.
 */
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

/* What the texts about a run say of it. */
enum map_about {
    MAP_ABOUT_COMMAND, /* what is run, for people */
    MAP_ABOUT_NAME,    /* may be there twice: see name_given() */
    MAP_ABOUT_OUTER,   /* the directory of the run around it */
    MAP_ABOUT_SERVER,  /* nothing is leased without a port server */
    MAP_ABOUT_FILE,    /* a map file to publish; any number */
};

/* Adds a text about the run; false when it does not fit. Only before the map is ready. */
bool map_about_add(struct map *map, enum map_about key, const char *value);

/* The value of the n-th text (from 0) with this key; NULL when there is none. */
const char *map_about(const struct map *map, enum map_about key, unsigned n);

#endif
