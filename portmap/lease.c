#include "lease.h"

#include "error.h"
#include "probe.h"
#include "process.h"
#include "sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char table_name[] = "leases";
static const char draft_name[] = "leases.new";
static const char magic[8] = "psleases";

enum { LEASE_VERSION = 1 };

/*
 * A port that was in use a moment ago may still have clients that try to reach its last owner: it rests this
 * long, but no search looks at more than REST_LOOKS ports for a rested one.
 */
enum { REST_SECONDS = 60, REST_LOOKS = 256 };

struct lease_file {
    char magic[8];
    uint32_t version;
    uint32_t size;
    char boot_id[BOOT_ID_SIZE];
    _Atomic uint16_t cursor; /* where the next search starts: the port after the last one leased */
    _Atomic uint64_t owner[PORT_COUNT];
    _Atomic uint32_t released[PORT_COUNT]; /* seconds since boot; 0 when it never was leased */
};

_Static_assert(sizeof(struct lease_file) == 56 + 12 * PORT_COUNT,
               "the layout of the lease table is a file format");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "claims are shared between processes: they must be lock-free");

/* The two high bits are the kind of owner. */
enum { KIND_RUN = 1 };
#define ID_MASK ((UINT64_C(1) << RUN_ID_BITS) - 1)

lease_owner lease_run_owner(uint64_t run_id)
{
    return (uint64_t)KIND_RUN << 62 | (run_id & ID_MASK);
}

uint64_t lease_owner_run(lease_owner owner)
{
    return owner >> 62 == KIND_RUN ? owner & ID_MASK : 0;
}

static uint32_t now_seconds(void)
{
    return (uint32_t)(process_clock() / 1000000000);
}

static int map_file(struct lease_table *table, int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    void *file = mmap(NULL, sizeof *table->file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return -errno;
    *table = (struct lease_table){.file = file, .device = st.st_dev, .inode = st.st_ino};
    return 0;
}

static int check_header(const struct lease_file *file)
{
    bool good = memcmp(file->magic, magic, sizeof magic) == 0 && file->version == LEASE_VERSION &&
                file->size == sizeof *file && process_is_this_boot(file->boot_id);
    return good ? 0 : PORTMAP_ETORN;
}

int lease_open(struct lease_table *table, const struct home *home)
{
    struct stat st;
    int fd = openat(home->fd, table_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == EISDIR ? PORTMAP_EFOREIGN : -errno;
    int error = fstat(fd, &st) < 0 ? -errno : 0;
    if (error == 0 && (!S_ISREG(st.st_mode) || st.st_uid != geteuid()))
        error = PORTMAP_EFOREIGN;
    else if (error == 0 && st.st_size != (off_t)sizeof *table->file)
        error = PORTMAP_ETORN;
    if (error == 0)
        error = map_file(table, fd);
    close(fd);
    if (error != 0)
        return error;
    error = check_header(table->file);
    if (error != 0)
        lease_close(table);
    return error;
}

int lease_draft(struct lease_table *table, const struct home *home)
{
    unlinkat(home->fd, draft_name, 0);
    int fd = openat(home->fd, draft_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int error = -posix_fallocate(fd, 0, sizeof *table->file);
    if (error == 0)
        error = map_file(table, fd);
    close(fd);
    if (error != 0) {
        unlinkat(home->fd, draft_name, 0);
        return error;
    }
    struct lease_file *file = table->file;
    memcpy(file->magic, magic, sizeof magic);
    file->version = LEASE_VERSION;
    file->size = sizeof *file;
    process_boot_id(file->boot_id);
    /* Users without a common port server start far apart, by a multiplicative hash of the uid. */
    atomic_store(&file->cursor, (uint16_t)((geteuid() + 1) * 40503U));
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
    struct stat st;
    return fstatat(home->fd, table_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == table->device &&
           st.st_ino == table->inode;
}

static bool exchange(struct lease_table *table, unsigned port, lease_owner from, lease_owner to)
{
    return atomic_compare_exchange_strong(&table->file->owner[port], &from, to);
}

lease_owner lease_holder(const struct lease_table *table, unsigned port)
{
    return atomic_load(&table->file->owner[port]);
}

void lease_release(struct lease_table *table, unsigned port, lease_owner owner)
{
    if (lease_holder(table, port) != owner)
        return;
    atomic_store(&table->file->released[port], now_seconds());
    exchange(table, port, owner, 0);
}

/* 0 when the port is leased now, PORTMAP_EHELD, PORTMAP_EINUSE or -EACCES when it cannot be, else a negated
 * errno. */
static int try_port(struct lease_table *table, unsigned port, lease_owner owner, enum lease_effort effort)
{
    if (!exchange(table, port, 0, owner))
        return PORTMAP_EHELD;
    int answer = probe_port(port);
    if (answer == PROBE_TAKEN && effort == LEASE_TIME_WAIT && sockdiag_only_time_wait(port) == 1)
        answer = PROBE_FREE;
    if (answer == PROBE_FREE)
        return 0;
    exchange(table, port, owner, 0);
    if (answer == PROBE_FORBIDDEN)
        return -EACCES;
    return answer == PROBE_TAKEN ? PORTMAP_EINUSE : answer;
}

int lease_claim(struct lease_table *table, unsigned port, lease_owner owner)
{
    return lease_holder(table, port) == owner ? 0 : try_port(table, port, owner, LEASE_TIME_WAIT);
}

static bool is_resting(const struct lease_table *table, unsigned port, uint32_t now)
{
    uint32_t released = atomic_load_explicit(&table->file->released[port], memory_order_relaxed);
    return released != 0 && now - released < REST_SECONDS;
}

/* Tries up to `looks` unclaimed ports of the pool from the cursor on, once around. */
static int search(struct lease_table *table, const struct pool *pool, lease_owner owner,
                  enum lease_effort effort, bool rested, unsigned looks)
{
    uint32_t now = now_seconds();
    unsigned start = atomic_load(&table->file->cursor);
    for (unsigned i = 0; i < PORT_COUNT && looks > 0; i++) {
        unsigned port = (start + i) % PORT_COUNT;
        if (!portbits_has(&pool->ports, port) || lease_holder(table, port) != 0)
            continue;
        looks--;
        if (rested && is_resting(table, port, now))
            continue;
        int error = try_port(table, port, owner, effort);
        if (error == 0) {
            atomic_store(&table->file->cursor, (uint16_t)(port + 1));
            return (int)port;
        }
        if (error != PORTMAP_EHELD && error != PORTMAP_EINUSE && error != -EACCES)
            return error;
    }
    return PORTMAP_EXHAUSTED;
}

int lease_take(struct lease_table *table, const struct pool *pool, lease_owner owner,
               enum lease_effort effort)
{
    int port = search(table, pool, owner, effort, true, REST_LOOKS);
    if (port == PORTMAP_EXHAUSTED)
        port = search(table, pool, owner, effort, false, PORT_COUNT);
    return port;
}
