/*
 * The map of one run: placeholder <=> real port, shared by all its processes.
 *
 * It lies in up to three files (run/files.h says which, and who may open them):
 *
 *   the head   what the run's owner says: who made the run, the assignments known at start or added by a
 *              command, and which ports may be assigned late. Only the owner's commands write it.
 *   the notes  what the run's processes say about themselves: a wake-up word, a log, which ports were bound.
 *   the late   a table for each direction, indexed by port, with what was assigned late, and ports leased
 *              tables beforehand for that. Only in a run that has late placeholders.
 *
 * Processes that have dropped their privileges still write the last two. So whatever is read from these is
 * checked when it is read: it can be a wrong number, but only one of this run's own. Ports are in host byte
 * order. Stores that others may see are atomic. Nothing here holds a lock for which another process waits.
 */
#ifndef PORTMAP_RUN_MAP_H
#define PORTMAP_RUN_MAP_H

#include "host/process.h"
#include "run/portset.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAP_VERSION = 4,
    MAP_START_MAX = 4096, /* assignments that a process copies at attach: the run's own and inherited ones */
    MAP_STOCK = 16,       /* ports leased beforehand, for late assignments */
    MAP_PAGE = 4096,      /* files grow by this much */
};

/* An entry: a port, its protocols, and where it comes from. 0 is no entry. */
#define MAP_PORT_MASK UINT32_C(0xffff)
#define MAP_PROTOCOLS_SHIFT 16
enum {
    MAP_ALIAS = 1 << 18,     /* one of the two entries of an alias: see map_enter_alias() */
    MAP_LATE = 1 << 19,      /* assigned when first bound, not at start */
    MAP_INHERITED = 1 << 20, /* copied from the outer run, which has leased the port */
    MAP_USED = 1 << 21,      /* a late one that a process other than its assigner has used: it stays */
    MAP_CHOSEN = 1 << 22,    /* a late one whose port the kernel chose: it is not leased */
    MAP_KEYED = 1 << 23,     /* the port is the one that the run's key wanted */
    MAP_UNKEYED = 1 << 24,   /* the run's key wanted another port, which was not to be had */
};

static inline unsigned map_entry_port(uint32_t entry)
{
    return entry & MAP_PORT_MASK;
}

static inline unsigned map_entry_protocols(uint32_t entry)
{
    return entry >> MAP_PROTOCOLS_SHIFT & PORTMAP_BOTH;
}

/* An assignment known at start. Unpacked from one word, so that nobody reads half of a change. */
struct map_pair {
    uint16_t placeholder, real; /* real 0: it was taken back */
    uint16_t alias;             /* 0: none */
    uint16_t flags;             /* those of the entry, shifted down by MAP_PROTOCOLS_SHIFT; MAP_PAIR_... */
};

enum { MAP_PAIR_ALIAS_INHERITED = 1 << 15 }; /* the outer run has leased the alias */

/* The entry of its placeholder; 0 when it was taken back. */
static inline uint32_t map_pair_entry(struct map_pair pair)
{
    uint32_t flags = (uint32_t)(pair.flags & ~MAP_PAIR_ALIAS_INHERITED) << MAP_PROTOCOLS_SHIFT;
    return pair.real != 0 ? pair.real | flags : 0;
}

/*
 * The life word: the run's id, and below it whether the run is over (run/life.h). Each change but that to
 * MAP_DEAD, the last one, also counts up the bits between the two: so a judge who was stopped in the middle
 * cannot take a later state for the one that he knows.
 */
enum map_life { MAP_LIVES = 1, MAP_DECIDING, MAP_DEAD };
enum { MAP_LIFE_STATE = 3, MAP_LIFE_BITS = 8 };

static inline uint64_t map_life_run(uint64_t life)
{
    return life >> MAP_LIFE_BITS;
}

static inline enum map_life map_life_state(uint64_t life)
{
    return (enum map_life)(life & MAP_LIFE_STATE);
}

/* A file: what stderr of `portshim run` was. */
struct map_stderr {
    uint64_t device, inode, born; /* of struct kernel_file */
    uint32_t kind;                /* run/voice.c; 0: nothing is said in this run */
    uint32_t filters;             /* voice_filters() of `portshim run` */
};

struct map_head {
    /* Written once, before the file gets its final name. */
    char magic[8];
    uint32_t version;
    uint32_t size; /* of this structure: the file may be shorter */
    uint64_t run_id;
    uint64_t starter_start_time; /* process_start_time() */
    int32_t starter;             /* pid of the process that made the run */
    uint32_t pid_namespace;
    uint32_t net_namespace;
    uint32_t uid;
    uint64_t created; /* process_clock() */
    uint8_t reveal;   /* the program sees real ports */
    uint8_t discover; /* nothing is rewritten, but every fixed port is noted (run/sighting.h) */
    uint8_t strict;   /* programs that the library cannot reach are not started */
    uint8_t has_late; /* there are late placeholders, and with them the late tables */
    uint8_t required; /* nothing may be leased without a port server */
    uint8_t padding;
    uint16_t ephemeral_first, ephemeral_last; /* pool_ephemeral_range() */
    uint16_t padding2[3];

    _Atomic uint64_t life;           /* see above */
    _Atomic uint64_t dead_since;     /* process_clock() when it was first found without any process, else 0 */
    _Atomic int32_t judge;           /* pid of the process that decides whether the run is over, for people */
    _Atomic uint32_t ready;          /* all that is known at start has been entered */
    _Atomic uint32_t late_published; /* how many late assignments are in the map files */
    _Atomic uint32_t start_count;    /* of start[] */
    _Atomic uint32_t alias_count;    /* how many of start[] have had an alias */
    uint32_t padding3;
    _Atomic uint64_t dead_mark;    /* under what circumstances it was found so: run/life.c */
    struct map_stderr stderr_file; /* the run's own: run/voice.h */
    uint32_t padding5[18];

    _Atomic uint64_t start[MAP_START_MAX]; /* struct map_pair */
    uint64_t padding4[484];

    /* From here on, only in a run that has late placeholders. */
    struct portbits late[2];                  /* placeholders that may be assigned late: TCP, UDP */
    struct portbits late_listed[2];           /* of these, the ones listed by number */
    _Atomic uint64_t granted[PORTBITS_WORDS]; /* ports leased for late assignments */
};

_Static_assert(offsetof(struct map_head, created) == 48, "the layout of the head is a file format");
_Static_assert(offsetof(struct map_head, life) == 72, "the layout of the head is a file format");
_Static_assert(offsetof(struct map_head, stderr_file) == 120, "the layout of the head is a file format");
_Static_assert(offsetof(struct map_head, start) == 224, "the layout of the head is a file format");
_Static_assert(offsetof(struct map_head, late) % MAP_PAGE == 0, "the late part begins with a page");
_Static_assert(sizeof(struct map_head) == 9 * 4096 + 5 * 8192, "the layout of the head is a file format");

enum map_event {
    MAP_EVENT_NONE,
    MAP_EVENT_ATTACH,  /* a process joined the run */
    MAP_EVENT_LATE,    /* a late placeholder got its real port */
    MAP_EVENT_SWAP,    /* a stock port was taken by a stranger, and another one used */
    MAP_EVENT_REFUSED, /* the kernel refused to bind a real port */
    MAP_EVENT_EMPTY,   /* no real port could be had for a late placeholder */
    MAP_EVENT_UNKEYED, /* the port that the run's key wanted was taken; real is that port, 0: unknown */
    MAP_EVENTS,        /* how many there are */
};

struct map_record {
    _Alignas(8) uint64_t date; /* process_date() */
    int32_t pid;               /* in the process's own pid namespace */
    uint16_t event;
    uint16_t placeholder;
    uint16_t real;
    int16_t error; /* errno */
    uint32_t padding;
};

struct map_program {
    _Atomic uint64_t device, inode; /* sighting_device(); inode 0: no entry */
    _Atomic uint32_t kind;          /* see run/sighting.c */
    char name[44];                  /* without its directories; maybe without a terminator */
};

/* The notes come in two sizes, as those of a run that discovers ports hold more. */
#define MAP_NOTES(log_size, programs_size, sightings_size)                                             \
    struct {                                                                                           \
        /* For map_wake() and map_wait(). */                                                           \
        _Atomic uint32_t generation, waiters;                                                          \
        _Atomic uint32_t log_next;                                                                     \
        _Atomic uint32_t execs;          /* a process has executed a program, and joins in a moment */ \
        _Atomic uint32_t unreached;      /* a program was started that the library is not in */        \
        _Atomic uint32_t supervisors[8]; /* run/supervisors.h */                                       \
        uint32_t padding[3];                                                                           \
        _Atomic uint64_t bound[MAP_START_MAX / 64]; /* by the index in start[] */                      \
        struct map_record log[log_size];            /* a ring */                                       \
        struct map_program programs[programs_size];                                                    \
        _Atomic uint64_t sightings[sightings_size];                                                    \
    }

struct map_notes {
    MAP_NOTES(64, 22, 72);
};

struct map_large_notes {
    MAP_NOTES(512, 128, 1024);
};

_Static_assert(sizeof(struct map_notes) <= MAP_PAGE, "one page, for one placeholder");
_Static_assert(sizeof(struct map_record) == 24, "the layout of the notes is a file format");
_Static_assert(sizeof(struct map_program) == 64, "the layout of the notes is a file format");

struct map_late {
    _Atomic uint32_t stock[MAP_STOCK];
    _Atomic uint32_t count; /* late assignments made so far */
    uint32_t padding[47];
    _Atomic uint64_t bound[PORTBITS_WORDS]; /* placeholders that a program of the run has bound */
    /* Late placeholders whose number the kernel itself gave to a socket of the run. */
    _Atomic uint64_t given[PORTBITS_WORDS];
    _Atomic uint32_t to_kernel[PORT_COUNT];
    _Atomic uint32_t to_program[PORT_COUNT];
};

_Static_assert(sizeof(struct map_late) == 256 + 2 * 8192 + 2 * 262144, "the layout is a file format");

/* What a process has mapped of a run. run/files.h opens and closes it. */
struct map {
    struct map_head *head; /* never NULL; read-only unless an owner's command has opened it */
    union {                /* NULL when this process cannot open them */
        struct map_notes *notes;
        struct map_large_notes *large_notes; /* when has_large_notes */
    };
    bool has_large_notes;  /* as head->discover was when they were opened */
    struct map_late *late; /* NULL when there are none, or when this process cannot open them */
    uint32_t known;        /* lookups pass over this many of start[]: the caller has copied them */
    const char *texts;     /* NULL when this process has not opened them: run/texts.h */
    size_t texts_size;
    bool texts_mapped; /* from their file; else they are in the memory of whoever made the run */
    int fd;            /* of the head, when this process may write it; else -1 */
};

/*
 * Adds an assignment that is known at start, or by a command. A number has one meaning in each direction: an
 * alias with the placeholder's number, and one of the placeholder with the real port's number, are removed.
 * Only one caller at a time, beside any number of late assignments. 0; PORTMAP_ETOOMANY; or a negated errno
 * when the disk is full.
 */
int map_assign(struct map *map, unsigned placeholder, unsigned real, uint32_t protocols_and_flags);

/* How many assignments were added, those included that were taken back; and the i-th of them. */
uint32_t map_start_count(const struct map *map);
struct map_pair map_start(const struct map *map, uint32_t i);

/*
 * Gives an assigned placeholder an alias, which it needs if the kernel may hand out its number by itself. A
 * socket that gets that number from the kernel must not look as if it were bound to the placeholder. So the
 * program is told the number `alias` for it, and `alias` leads back to the number: two more entries, one in
 * each direction. False, and nothing is entered, when one of the two numbers means something already: the
 * alias is a placeholder, or the placeholder's number a real port of this run, which the kernel gives to
 * nobody. `whose` is MAP_INHERITED for an alias that the outer run has leased, else 0. Lock-free and
 * async-signal-safe for a late placeholder; for others only one caller at a time.
 */
bool map_enter_alias(struct map *map, unsigned placeholder, unsigned alias, uint32_t whose);

/* Takes back the assignment of start[i], which no program can have used. */
void map_unassign(struct map *map, uint32_t i);

/* Takes back the last ones, from start[count] on, all of which were taken back. */
void map_shorten(struct map *map, uint32_t count);

/* Whether the kernel may hand out a port by itself. */
static inline bool map_is_ephemeral(const struct map *map, unsigned port)
{
    return port >= map->head->ephemeral_first && port <= map->head->ephemeral_last;
}

/* Whether the map may hold more than the first map->known assignments. */
static inline bool map_grows(const struct map *map)
{
    return map->late != NULL ||
           atomic_load_explicit(&map->head->start_count, memory_order_acquire) > map->known;
}

/* What a port means that the program names, and one that the kernel names: an entry, checked; 0: nothing. */
uint32_t map_to_kernel(const struct map *map, unsigned port);
uint32_t map_to_program(const struct map *map, unsigned port);

/* The real port of a placeholder; 0 when it is not assigned (yet). */
unsigned map_real(const struct map *map, unsigned placeholder);

/* What the program is told for a socket that the kernel put on a placeholder's number; 0: no alias. */
unsigned map_alias(const struct map *map, unsigned placeholder);

/* The protocols for which a port may be assigned late; 0: none. */
unsigned map_late_protocols(const struct map *map, unsigned placeholder);

/* Whether the port was listed by number among those. */
bool map_late_is_listed(const struct map *map, unsigned placeholder);

/* The protocols for which a port is a placeholder, assigned or late; 0 when it is none. */
unsigned map_protocols(const struct map *map, unsigned placeholder);

/*
 * Puts a port of the stock in place of *entry of a late placeholder. *entry is 0, or an entry whose port a
 * stranger has taken. Then *entry is the entry in force; it is unchanged when the stock is empty. True when
 * this call assigned the port; when several processes try at once, one is told true, and all get its entry.
 * An entry that has been shared, by map_share_late(), is not replaced. Lock-free, async-signal-safe.
 */
bool map_take_late(struct map *map, unsigned placeholder, uint32_t *entry);

/* The same with a port that the caller has leased for it, and granted, and keeps when the answer is false. If
 * *entry is unchanged then, the port means something else already. */
bool map_enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry);

/*
 * The same with a port that the kernel chose for a socket, which still holds it. Also false, with *entry
 * unchanged, when the number means something in the run already (it is a real port or an alias, was listed,
 * or was given to another socket), or is not in the range that the kernel had when the run was made.
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

/* Notes that a port is leased for late assignments of this run, or is not any more. For those who may write
 * the head. Without that note no process uses it. */
void map_grant(struct map *map, unsigned port);
void map_revoke(struct map *map, unsigned port);

/* Puts a leased and granted port into the stock; false when the stock is full. */
bool map_stock_put(struct map *map, unsigned port);

/* Takes this very port out of the stock; false when it is not in it (any more). */
bool map_stock_remove(struct map *map, unsigned port);

/* The port in place i of the stock; 0: none. */
unsigned map_stock(const struct map *map, unsigned i);

/* Notes, and tells, whether the kernel itself has given the number of a late placeholder to a socket. */
void map_note_given(struct map *map, unsigned placeholder);
bool map_was_given(const struct map *map, unsigned placeholder);

/* Wakes those who wait for a port, as something may have changed: one store, and futex(2) if any wait. */
void map_wake(struct map *map);

/* The word to give to map_wait(), read before looking at the map. */
uint32_t map_generation(const struct map *map);

/* Sleeps until map_wake(), or for `milliseconds`. */
void map_wait(struct map *map, uint32_t seen, unsigned milliseconds);

/* Appends a record to the log, over the oldest one. Lock-free, async-signal-safe, no system call. */
void map_log(struct map *map, enum map_event event, int pid, unsigned placeholder, unsigned real, int error);

/* How many records were written; and the n-th of them, empty when it is not there any more. */
uint32_t map_log_next(const struct map *map);
struct map_record map_log_record(const struct map *map, uint32_t n);

/* How many records the log keeps. */
uint32_t map_log_size(const struct map *map);

/* Whether a process has joined the run since map_log_next() was `from`; true also when the log has lost
 * track. */
bool map_was_joined(const struct map *map, uint32_t from);

/* Notes that a program of the run has bound a placeholder. */
void map_note_bound(struct map *map, unsigned placeholder);

/* Whether one has; and whether one has bound any. */
bool map_was_bound(const struct map *map, unsigned placeholder);
bool map_any_bound(const struct map *map);

/* Sets a note that may be set already. A write to a page of a file costs much more than a look, in each
 * process that writes first. */
static inline void map_note_once(_Atomic uint32_t *note)
{
    if (atomic_load_explicit(note, memory_order_relaxed) == 0)
        atomic_store_explicit(note, 1, memory_order_relaxed);
}

/* Notes that a process of the run executes a program, which joins the run a moment later. */
static inline void map_note_exec(struct map *map)
{
    if (map->notes != NULL)
        map_note_once(&map->notes->execs);
}

/* The same for a program that does not join, as the library is not in it. What it starts may join. */
static inline void map_note_unreached(struct map *map)
{
    if (map->notes != NULL)
        map_note_once(&map->notes->unreached);
}

#endif
