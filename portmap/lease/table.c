#include "lease/table.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "host/probe.h"
#include "host/process.h"
#include "host/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char table_name[] = "leases";
static const char draft_name[] = "leases.new";
static const char magic[8] = "psleases";

enum { LEASE_VERSION = 2 };

/* A port that was in use a moment ago may still have clients that try to reach its last owner, so it rests
 * this long. A search that has looked at REST_LOOKS ports without finding a rested one takes any. */
enum { REST_SECONDS = 60, REST_LOOKS = 256 };

enum { NAMESPACES = 256 };

/*
 * How many owners are remembered to be alive: most own several ports, and a search begins where others have
 * just leased. A first search believes that for SEEN_BELIEVED; a second one, when the first found no port,
 * looks at each owner again.
 */
enum { SEEN_ALIVE = 256 };
#define SEEN_BELIEVED UINT64_C(1000000000) /* nanoseconds */

struct lease_file {
    char magic[8];
    uint32_t version;
    uint32_t size;
    _Atomic uint64_t sweep_position; /* lease_sweep_position() */
    _Atomic uint64_t last_run;       /* lease_last_run() */
    char unused[22];                 /* older versions wrote a text over the two fields above and this one */
    _Atomic uint16_t cursor;         /* the port after the last one leased, where the next search starts */
    _Atomic uint64_t namespaces[NAMESPACES]; /* of owners that are processes, packed; 0: no entry */
    _Atomic uint64_t owner[PORT_COUNT];
    _Atomic uint32_t released[PORT_COUNT]; /* seconds since boot; 0: never */
};

_Static_assert(offsetof(struct lease_file, cursor) == 54, "the layout of the lease table is a file format");
_Static_assert(sizeof(struct lease_file) == 56 + 8 * NAMESPACES + 12 * PORT_COUNT,
               "the layout of the lease table is a file format");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "claims are shared between processes: they must be lock-free");

/*
 * The word for an owner. The two high bits are its kind; a run has its id below them. A process has, from the
 * low end: its pid (PID_MAX_LIMIT is 2^22, include/linux/threads.h), the low bits of its start time, and the
 * index of its namespaces in the table.
 */
enum { KIND_SHIFT = 62, PID_BITS = 22, START_BITS = 32, SPACE_SHIFT = PID_BITS + START_BITS };
#define ID_MASK ((UINT64_C(1) << RUN_ID_BITS) - 1)
#define PID_MASK ((UINT64_C(1) << PID_BITS) - 1)
#define KIND_MASK (UINT64_C(3) << KIND_SHIFT)

_Static_assert(SPACE_SHIFT + 8 == KIND_SHIFT && NAMESPACES == 1 << 8, "an owner is one word");

lease_owner lease_run_owner(uint64_t run_id)
{
    return (uint64_t)LEASE_RUN << KIND_SHIFT | (run_id & ID_MASK);
}

enum lease_kind lease_kind(lease_owner owner)
{
    return (enum lease_kind)(owner >> KIND_SHIFT);
}

static bool is_process(lease_owner owner)
{
    return lease_kind(owner) == LEASE_PROCESS || lease_kind(owner) == LEASE_SERVED;
}

uint64_t lease_owner_run(lease_owner owner)
{
    return lease_kind(owner) == LEASE_RUN ? owner & ID_MASK : 0;
}

pid_t lease_owner_pid(lease_owner owner)
{
    return is_process(owner) ? (pid_t)(owner & PID_MASK) : 0;
}

bool lease_is_same_process(lease_owner a, lease_owner b)
{
    return is_process(a) && is_process(b) && (a & ~KIND_MASK) == (b & ~KIND_MASK);
}

static uint64_t namespaces_of(const struct lease_table *table, lease_owner owner)
{
    return atomic_load(&table->file->namespaces[owner >> SPACE_SHIFT & (NAMESPACES - 1)]);
}

static bool is_referred_to(const struct lease_file *file, unsigned space)
{
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = atomic_load(&file->owner[port]);
        if (is_process(owner) && (owner >> SPACE_SHIFT & (NAMESPACES - 1)) == space)
            return true;
    }
    return false;
}

/*
 * The index of this process's namespaces in the table; enters them if they are new. In a full table, replaces
 * an entry that no owner refers to. Such an owner may be entered at the same moment: try_port() claims first
 * and then checks that its entry is still there, and this function removes the entry first and then looks for
 * owners again, so at least one of the two notices.
 */
static int find_namespaces(struct lease_table *table)
{
    for (unsigned i = 0; i < NAMESPACES; i++) {
        uint64_t empty = 0;
        if (atomic_load(&table->file->namespaces[i]) == table->namespaces ||
            atomic_compare_exchange_strong(&table->file->namespaces[i], &empty, table->namespaces) ||
            empty == table->namespaces)
            return (int)i;
    }
    for (unsigned i = 0; i < NAMESPACES; i++) {
        uint64_t old = atomic_load(&table->file->namespaces[i]), empty = 0;
        if (is_referred_to(table->file, i) ||
            !atomic_compare_exchange_strong(&table->file->namespaces[i], &old, 0))
            continue;
        bool unused = !is_referred_to(table->file, i);
        atomic_compare_exchange_strong(&table->file->namespaces[i], &empty, unused ? table->namespaces : old);
        if (unused)
            return find_namespaces(table);
    }
    return PORTMAP_ETOOMANY;
}

int lease_process_owner(struct lease_table *table, enum lease_kind kind, pid_t pid, lease_owner *owner)
{
    uint64_t start;
    if (!process_find(pid, &start))
        return -ESRCH;
    int space = find_namespaces(table);
    if (space < 0)
        return space;
    *owner = (uint64_t)kind << KIND_SHIFT | (uint64_t)space << SPACE_SHIFT |
             (uint64_t)(uint32_t)start << PID_BITS | ((uint64_t)pid & PID_MASK);
    return 0;
}

int lease_renew_owner(struct lease_table *table, lease_owner *owner)
{
    int space = find_namespaces(table);
    if (space < 0)
        return space;
    *owner &= ~((uint64_t)(NAMESPACES - 1) << SPACE_SHIFT);
    *owner |= (uint64_t)space << SPACE_SHIFT;
    return 0;
}

bool lease_owner_is_ours(const struct lease_table *table, lease_owner owner)
{
    return !is_process(owner) || namespaces_of(table, owner) == table->namespaces;
}

/* Where an owner lives: in this pid namespace or another one. Unknown for a run, and when either namespace
 * could not be read. */
enum where { WHERE_UNKNOWN, WHERE_HERE, WHERE_ELSEWHERE };

static enum where where_is(const struct lease_table *table, lease_owner owner)
{
    uint32_t here = (uint32_t)(table->namespaces >> 32);
    uint32_t theirs = (uint32_t)(namespaces_of(table, owner) >> 32);
    if (!is_process(owner) || here == 0 || theirs == 0)
        return WHERE_UNKNOWN;
    return theirs == here ? WHERE_HERE : WHERE_ELSEWHERE;
}

static bool has_died_here(lease_owner owner)
{
    return !process_is_alive(lease_owner_pid(owner), (uint32_t)(owner >> PID_BITS));
}

static struct process_elsewhere elsewhere(const struct lease_table *table, lease_owner owner)
{
    return (struct process_elsewhere){.pid = lease_owner_pid(owner),
                                      .pid_namespace = (uint32_t)(namespaces_of(table, owner) >> 32),
                                      .start_time = (uint32_t)(owner >> PID_BITS)};
}

bool lease_owner_has_died(const struct lease_table *table, lease_owner owner)
{
    enum where where = where_is(table, owner);
    if (where != WHERE_ELSEWHERE)
        return where == WHERE_HERE && has_died_here(owner);
    struct process_elsewhere process = elsewhere(table, owner);
    process_look_elsewhere(&process, 1);
    return process.gone;
}

/* The processes of other pid namespaces that have leases, and whether they have ended. */
struct lease_absent {
    uint16_t number[PORT_COUNT]; /* for each port, the index of its owner below; 0: it has no such owner */
    lease_owner owner[PORT_COUNT];
    struct process_elsewhere process[PORT_COUNT];
};

/* NULL when there is no memory: then nobody is known to have ended. */
static struct lease_absent *look_for_absent(const struct lease_table *table)
{
    struct lease_absent *absent =
        mmap(NULL, sizeof *absent, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned count = 0;
    if (absent == MAP_FAILED)
        return NULL;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = lease_holder(table, port);
        if (where_is(table, owner) != WHERE_ELSEWHERE)
            continue;
        if (count == 0 || absent->owner[count] != owner) {
            absent->owner[++count] = owner;
            absent->process[count] = elsewhere(table, owner);
        }
        absent->number[port] = (uint16_t)count;
    }
    process_look_elsewhere(&absent->process[1], count);
    return absent;
}

bool lease_look_has_died(struct lease_look *look, unsigned port, lease_owner owner)
{
    enum where where = where_is(look->table, owner);
    if (where != WHERE_ELSEWHERE)
        return where == WHERE_HERE && has_died_here(owner);
    if (look->absent == NULL)
        look->absent = look_for_absent(look->table);
    if (look->absent == NULL)
        return false;
    /* The port may have changed hands since; nothing is known about its new owner. */
    unsigned number = look->absent->number[port];
    return look->absent->owner[number] == owner && look->absent->process[number].gone;
}

void lease_look_end(struct lease_look *look)
{
    if (look->absent != NULL)
        munmap(look->absent, sizeof *look->absent);
    look->absent = NULL;
}

static struct {
    _Atomic lease_owner owner;
    _Atomic uint64_t at; /* process_clock() when it was seen */
} seen_alive[SEEN_ALIVE];

static bool was_alive(lease_owner owner, uint64_t since)
{
    unsigned i = owner % SEEN_ALIVE;
    return atomic_load(&seen_alive[i].owner) == owner && atomic_load(&seen_alive[i].at) >= since;
}

static void note_alive(lease_owner owner, uint64_t at)
{
    unsigned i = owner % SEEN_ALIVE;
    atomic_store(&seen_alive[i].owner, owner);
    atomic_store(&seen_alive[i].at, at);
}

static uint32_t seconds(uint64_t clock)
{
    return (uint32_t)(clock / 1000000000);
}

/* In the place of two unknown namespaces, as no entry is 0. */
enum { UNKNOWN_NAMESPACES = 1 };

void lease_enter_namespaces(struct lease_table *table)
{
    uint64_t namespaces = (uint64_t)process_pid_namespace() << 32 | process_net_namespace();
    table->namespaces = namespaces != 0 ? namespaces : UNKNOWN_NAMESPACES;
}

void lease_namespaces(const struct lease_table *table, uint32_t *pid, uint32_t *net)
{
    *pid = (uint32_t)(table->namespaces >> 32);
    *net = table->namespaces != UNKNOWN_NAMESPACES ? (uint32_t)table->namespaces : 0;
}

static int map_file(struct lease_table *table, int fd, const struct stat *st)
{
    void *file = mmap(NULL, sizeof *table->file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return -errno;
    *table = (struct lease_table){.file = file, .device = st->st_dev, .inode = st->st_ino};
    lease_enter_namespaces(table);
    return 0;
}

static bool is_whole(const struct lease_file *file)
{
    return memcmp(file->magic, magic, sizeof magic) == 0 && file->version == LEASE_VERSION &&
           file->size == sizeof *file;
}

int lease_open_existing(struct lease_table *table, const struct home *home)
{
    struct stat st;
    int fd = openat(home->fd, table_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR ? PORTMAP_EFOREIGN : -errno;
    int error = file_look(fd, &st);
    if (error == 0 && st.st_size != (off_t)sizeof *table->file)
        error = PORTMAP_ETORN;
    if (error == 0)
        error = map_file(table, fd, &st);
    if (error == 0 && file_is_old(&st))
        futimens(fd, NULL);
    close(fd);
    if (error != 0)
        return error;
    if (is_whole(table->file))
        return 0;
    lease_close(table);
    return PORTMAP_ETORN;
}

int lease_draft(struct lease_table *table, const struct home *home)
{
    unlinkat(home->fd, draft_name, 0);
    int fd = file_create(home->fd, draft_name);
    if (fd < 0)
        return fd;
    struct stat st;
    int error = file_allocate(fd, sizeof *table->file);
    if (error == 0)
        error = file_look(fd, &st);
    if (error == 0)
        error = map_file(table, fd, &st);
    close(fd);
    if (error != 0) {
        unlinkat(home->fd, draft_name, 0);
        return error;
    }
    struct lease_file *file = table->file;
    memcpy(file->magic, magic, sizeof magic);
    file->version = LEASE_VERSION;
    file->size = sizeof *file;
    /* A multiplicative hash of the uid: users who share no port server start far apart. */
    atomic_store(&file->cursor, (uint16_t)((kernel_euid() + 1) * 40503U));
    return 0;
}

void lease_record(struct lease_table *table, unsigned port, lease_owner owner)
{
    atomic_store(&table->file->owner[port], owner);
}

int lease_install(const struct home *home)
{
    return renameat(home->fd, draft_name, home->fd, table_name) < 0 ? -errno : 0;
}

void lease_close(struct lease_table *table)
{
    munmap(table->file, sizeof *table->file);
    table->file = NULL;
}

bool lease_is_current(const struct lease_table *table, const struct home *home)
{
    char path[PATH_MAX + 16];
    struct text t = text_in(path, sizeof path);
    struct stat st;
    text_str(&t, home->path);
    text_char(&t, '/');
    text_str(&t, table_name);
    return lstat(path, &st) == 0 && st.st_dev == table->device && st.st_ino == table->inode &&
           st.st_size == (off_t)sizeof *table->file && is_whole(table->file);
}

static bool exchange(struct lease_table *table, unsigned port, lease_owner from, lease_owner to)
{
#ifdef PORTSHIM_BROKEN_CLAIM /* with it the tests see that they would notice two owners of a port */
    return true;
#endif
    return atomic_compare_exchange_strong(&table->file->owner[port], &from, to);
}

lease_owner lease_holder(const struct lease_table *table, unsigned port)
{
    return atomic_load(&table->file->owner[port]);
}

uint32_t lease_released_at(const struct lease_table *table, unsigned port)
{
    return atomic_load(&table->file->released[port]);
}

bool lease_was_released(const struct lease_table *table, uint32_t most)
{
    uint32_t last = 0, now = seconds(process_clock());
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (lease_released_at(table, port) > last)
            last = lease_released_at(table, port);
    return last != 0 && now - last <= most;
}

uint64_t lease_sweep_position(const struct lease_table *table)
{
    return atomic_load(&table->file->sweep_position);
}

void lease_set_sweep_position(struct lease_table *table, uint64_t position)
{
    atomic_store(&table->file->sweep_position, position);
}

uint64_t lease_last_run(const struct lease_table *table)
{
    return atomic_load(&table->file->last_run);
}

void lease_set_last_run(struct lease_table *table, uint64_t run_id)
{
    atomic_store(&table->file->last_run, run_id);
}

bool lease_is_table(int fd)
{
    struct stat st;
    struct {
        char magic[8];
        uint32_t version;
        uint32_t size;
    } header;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           pread(fd, &header, sizeof header, 0) == sizeof header &&
           memcmp(header.magic, magic, sizeof magic) == 0 && header.version == LEASE_VERSION &&
           header.size == sizeof(struct lease_file);
}

lease_owner lease_peek(int fd, unsigned port)
{
    lease_owner owner;
    off_t at = (off_t)(offsetof(struct lease_file, owner) + port * sizeof owner);
    return pread(fd, &owner, sizeof owner, at) == sizeof owner ? owner : 0;
}

bool lease_transfer(struct lease_table *table, unsigned port, lease_owner from, lease_owner to)
{
    return exchange(table, port, from, to);
}

bool lease_release(struct lease_table *table, unsigned port, lease_owner owner)
{
    if (lease_holder(table, port) != owner)
        return false;
    atomic_store(&table->file->released[port], seconds(process_clock()));
    return exchange(table, port, owner, 0);
}

/* Frees the port if its holder is a process that has died; false when it stays leased. */
static bool reclaim(struct lease_table *table, unsigned port, lease_owner holder, struct lease_look *look)
{
    bool died = look != NULL ? lease_look_has_died(look, port, holder) : lease_owner_has_died(table, holder);
    return died && lease_release(table, port, holder);
}

/* Whether what keeps the port taken does not count. */
static bool is_negligible(unsigned port, enum lease_effort effort)
{
    switch (effort) {
    case LEASE_TIME_WAIT:
        return sockdiag_only_time_wait(port) == 1;
    case LEASE_LEFT_OVER:
        return sockdiag_is_held(port) == 0;
    default:
        return false;
    }
}

int lease_probe(unsigned port, const struct lease_want *want)
{
    int answer = want->occupied != NULL && want->scope == NULL ? occupied_probe(want->occupied, port)
                                                               : probe_port_in(port, want->scope);
    if (answer == PROBE_FREE || (answer == PROBE_TAKEN && is_negligible(port, want->effort)))
        return 0;
    if (answer == PROBE_FORBIDDEN)
        return -EACCES;
    return answer == PROBE_TAKEN ? PORTMAP_EINUSE : answer;
}

/* Claims the port, then probes it. 0 when it is leased now; PORTMAP_EHELD, PORTMAP_EINUSE or -EACCES when it
 * cannot be; PORTMAP_ETOOMANY when our namespaces have lost their entry; else a negated errno. */
static int try_port(struct lease_table *table, unsigned port, const struct lease_want *want)
{
    if (!exchange(table, port, 0, want->owner))
        return PORTMAP_EHELD;
    if (!lease_owner_is_ours(table, want->owner)) {
        exchange(table, port, want->owner, 0);
        return PORTMAP_ETOOMANY;
    }
    int error = lease_probe(port, want);
    if (error != 0)
        exchange(table, port, want->owner, 0);
    return error;
}

/* A table that has been damaged since it was opened does not say who has a port: any error in it becomes
 * PORTMAP_ETORN. */
static int unless_torn(const struct lease_table *table, int result)
{
    return result < 0 && !is_whole(table->file) ? PORTMAP_ETORN : result;
}

int lease_claim(struct lease_table *table, unsigned port, const struct lease_want *want)
{
    lease_owner holder = lease_holder(table, port);
    if (holder == want->owner)
        return 0;
    if (holder != 0)
        reclaim(table, port, holder, want->look);
    return unless_torn(table, try_port(table, port, want));
}

static bool is_resting(const struct lease_table *table, unsigned port, uint32_t now)
{
    uint32_t released = atomic_load_explicit(&table->file->released[port], memory_order_relaxed);
    return released != 0 && now - released < REST_SECONDS;
}

/* A word of the pool, without the ports that are not wanted. */
static uint64_t word_of(const struct pool *pool, const struct lease_want *want, unsigned word)
{
    return pool->ports.word[word] & (want->avoid != NULL ? ~want->avoid->word[word] : ~UINT64_C(0));
}

/* Tries up to `looks` unclaimed ports of the pool, once around from the cursor; `rested`: none that rests. */
static int search(struct lease_table *table, const struct pool *pool, const struct lease_want *want,
                  struct lease_look *look, bool rested, unsigned looks)
{
    uint64_t now = process_clock(), believed = rested ? now - SEEN_BELIEVED : now;
    unsigned start = atomic_load(&table->file->cursor);
    for (unsigned i = 0; i < PORT_COUNT && looks > 0; i++) {
        unsigned port = (start + i) % PORT_COUNT;
        uint64_t bits = word_of(pool, want, port / 64) >> port % 64;
        if (!(bits & 1)) {
            /* Skip to the next port of the pool in this word, or to the next word. */
            i += (bits != 0 ? (unsigned)__builtin_ctzll(bits) : 64 - port % 64) - 1;
            continue;
        }
        lease_owner holder = lease_holder(table, port);
        if (holder != 0 && was_alive(holder, believed))
            continue;
        if (holder != 0 && !reclaim(table, port, holder, look)) {
            note_alive(holder, now);
            continue;
        }
        looks--;
        if (rested && is_resting(table, port, seconds(now)))
            continue;
        int error = try_port(table, port, want);
        if (error == 0) {
            atomic_store(&table->file->cursor, (uint16_t)(port + 1));
            return (int)port;
        }
        if (error != PORTMAP_EHELD && error != PORTMAP_EINUSE && error != -EACCES)
            return error;
    }
    return PORTMAP_EXHAUSTED;
}

int lease_take(struct lease_table *table, const struct pool *pool, const struct lease_want *want)
{
    struct lease_look look = {.table = table};
    int port = search(table, pool, want, &look, true, REST_LOOKS);
    if (port == PORTMAP_EXHAUSTED)
        port = search(table, pool, want, &look, false, PORT_COUNT);
    lease_look_end(&look);
    return unless_torn(table, port);
}
