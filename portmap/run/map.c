#include "run/map.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/lock.h"
#include "base/text.h"
#include "error.h"
#include "lease/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char magic[8] = "psmap\n\x1a";

static void identify(struct map *map, uint64_t run_id)
{
    memcpy(map->magic, magic, sizeof magic);
    map->version = MAP_VERSION;
    map->size = sizeof *map;
    map->run_id = run_id;
    map->starter = getpid();
    map->starter_start_time = process_start_time(getpid());
    map->pid_namespace = process_pid_namespace();
    map->net_namespace = process_net_namespace();
    map->uid = kernel_euid();
    struct ephemeral_range ephemeral = pool_ephemeral_range();
    map->ephemeral_first = (uint16_t)ephemeral.first;
    map->ephemeral_last = (uint16_t)ephemeral.last;
    map->created = process_clock();
    process_boot_id(map->boot_id);
}

static int map_file(struct map **map, int fd)
{
    void *file = mmap(NULL, sizeof **map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED)
        return -errno;
    *map = file;
    return 0;
}

int map_create(struct map **map, int run_dir, uint64_t run_id)
{
    static const char draft[] = "map.new";
    int fd = file_create(run_dir, draft);
    if (fd < 0)
        return fd;
    int error = file_allocate(fd, sizeof **map);
    if (error == 0)
        error = lock_wait(fd, LOCK_SH, LOCK_PATIENT);
    if (error == 0)
        error = map_file(map, fd);
    close(fd);
    if (error == 0) {
        identify(*map, run_id);
        if (renameat(run_dir, draft, run_dir, "map") == 0)
            return 0;
        error = -errno;
        map_detach(*map);
    }
    unlinkat(run_dir, draft, 0);
    return error;
}

/* 0 for a regular file of this user that is as long as a map. */
static int check_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || kernel_owner(fd) != kernel_euid())
        return PORTMAP_EFOREIGN;
    return st.st_size == (off_t)sizeof(struct map) ? 0 : PORTMAP_ETORN;
}

static int check_head(const struct map *map)
{
    if (map->magic[0] == '\0')
        return -ENODATA;
    bool ours = memcmp(map->magic, magic, sizeof magic) == 0 && map->version == MAP_VERSION &&
                map->size == sizeof *map;
    return ours ? 0 : PORTMAP_ETORN;
}

int map_open(struct map **map, int dir, const char *run)
{
    char path[PATH_MAX];
    struct text t = text_in(path, sizeof path);
    text_str(&t, run);
    text_str(&t, "/map");
    if (t.cut)
        return -ENAMETOOLONG;
    int fd = openat(dir, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct map *opened = NULL;
    int error = check_file(fd);
    if (error == 0)
        error = map_file(&opened, fd);
    if (opened != NULL)
        error = check_head(opened);
    if (error == 0) {
        *map = opened;
        return fd;
    }
    if (opened != NULL)
        map_detach(opened);
    close(fd);
    return error;
}

int map_attach(struct map **map, const char *run_path)
{
    int fd = map_open(map, AT_FDCWD, run_path);
    if (fd < 0)
        return fd;
    int error = lock_wait(fd, LOCK_SH, LOCK_PATIENT);
    close(fd);
    if (error == 0 && atomic_load(&(*map)->ended))
        error = PORTMAP_EENDED;
    if (error == 0)
        atomic_store(&(*map)->dead_since, 0);
    else
        map_detach(*map);
    return error;
}

int map_view(struct map **map, const char *run_path)
{
    int fd = map_open(map, AT_FDCWD, run_path);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

void map_detach(struct map *map)
{
    munmap(map, sizeof *map);
}

/* Enters what a number of the kernel's means to the program, unless it means something already. */
static bool enter_back(struct map *map, unsigned real, uint32_t entry)
{
    uint32_t none = 0;
    return atomic_compare_exchange_strong(&map->to_program[real], &none, entry);
}

/* Removes that entry, unless the number means something else by now. */
static void remove_back(struct map *map, unsigned real, uint32_t entry)
{
    atomic_compare_exchange_strong(&map->to_program[real], &entry, 0);
}

/* Takes an alias from its placeholder, before the alias's number becomes a placeholder itself. */
static void withdraw_alias(struct map *map, unsigned alias)
{
    uint32_t entry = atomic_load(&map->to_kernel[alias]);
    if (entry & MAP_ALIAS)
        remove_back(map, map_entry_port(entry), alias | (entry & ~MAP_PORT_MASK));
}

void map_assign(struct map *map, unsigned placeholder, unsigned real, uint32_t protocols_and_flags)
{
    /* to_program first: whoever sees the entry in to_kernel may use it at once. */
    uint32_t before = atomic_exchange(&map->to_program[real], placeholder | protocols_and_flags);
    uint32_t there = real | (before & ~MAP_PORT_MASK);
    if (before & MAP_ALIAS)
        atomic_compare_exchange_strong(&map->to_kernel[map_entry_port(before)], &there, 0);
    withdraw_alias(map, placeholder);
    atomic_store(&map->to_kernel[placeholder], real | protocols_and_flags);
}

bool map_enter_alias(struct map *map, unsigned placeholder, unsigned alias, uint32_t whose)
{
    uint32_t same = PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT | MAP_LATE;
    uint32_t flags = (atomic_load(&map->to_kernel[placeholder]) & same) | whose | MAP_ALIAS;
    uint32_t none = 0, there = placeholder | flags;
    if (!atomic_compare_exchange_strong(&map->to_kernel[alias], &none, there))
        return false;
    if (enter_back(map, placeholder, alias | flags))
        return true;
    atomic_compare_exchange_strong(&map->to_kernel[alias], &there, 0);
    return false;
}

void map_unassign(struct map *map, unsigned placeholder)
{
    unsigned real = map_real(map, placeholder), alias = map_alias(map, placeholder);
    atomic_store(&map->to_kernel[placeholder], 0);
    if (alias != 0) {
        atomic_store(&map->to_kernel[alias], 0);
        atomic_store(&map->to_program[placeholder], 0);
    }
    atomic_store(&map->to_program[real], 0);
}

int map_list(struct map *map, unsigned placeholder)
{
    uint32_t count = atomic_load(&map->start_count);
    if (count == MAP_START_MAX)
        return PORTMAP_ETOOMANY;
    map->start[count] = (uint16_t)placeholder;
    atomic_store(&map->start_count, count + 1);
    return 0;
}

unsigned map_real(const struct map *map, unsigned placeholder)
{
    uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
    return entry & MAP_ALIAS ? 0 : map_entry_port(entry);
}

unsigned map_alias(const struct map *map, unsigned placeholder)
{
    uint32_t back = atomic_load(&map->to_program[placeholder]);
    return back & MAP_ALIAS ? map_entry_port(back) : 0;
}

unsigned map_late_protocols(const struct map *map, unsigned placeholder)
{
    return (unsigned)portbits_has(&map->late[0], placeholder) * PORTMAP_TCP |
           (unsigned)portbits_has(&map->late[1], placeholder) * PORTMAP_UDP;
}

unsigned map_protocols(const struct map *map, unsigned placeholder)
{
    uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
    return entry != 0 && !(entry & MAP_ALIAS) ? map_entry_protocols(entry)
                                              : map_late_protocols(map, placeholder);
}

bool map_stock_put(struct map *map, unsigned port)
{
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        uint32_t empty = 0;
        if (atomic_compare_exchange_strong(&map->stock[i], &empty, port))
            return true;
    }
    return false;
}

bool map_stock_remove(struct map *map, unsigned port)
{
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        uint32_t there = port;
        if (atomic_compare_exchange_strong(&map->stock[i], &there, 0))
            return true;
    }
    return false;
}

/* Takes a port out of the stock that has no entry in `table` yet; 0: there is none. */
static unsigned stock_get(struct map *map, const _Atomic uint32_t *table)
{
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        uint32_t port = atomic_load(&map->stock[i]);
        if (port != 0 && atomic_load(&table[port]) == 0 &&
            atomic_compare_exchange_strong(&map->stock[i], &port, 0))
            return port;
    }
    return 0;
}

bool map_alias_late(struct map *map, unsigned placeholder)
{
    for (unsigned tries = 0; tries < MAP_STOCK && map_is_ephemeral(map, placeholder); tries++) {
        if (atomic_load(&map->to_program[placeholder]) != 0)
            return true;
        unsigned alias = stock_get(map, map->to_kernel);
        if (alias == 0)
            return false;
        if (!map_enter_alias(map, placeholder, alias, 0))
            map_stock_put(map, alias);
    }
    return true;
}

static bool enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t how, uint32_t *entry)
{
    uint32_t before = *entry;
    uint32_t flags = map_late_protocols(map, placeholder) << MAP_PROTOCOLS_SHIFT | MAP_LATE | how;
    if (!enter_back(map, real, placeholder | flags))
        return false;
    if (!atomic_compare_exchange_strong(&map->to_kernel[placeholder], entry, real | flags)) {
        remove_back(map, real, placeholder | flags);
        return false;
    }
    if (before != 0)
        remove_back(map, map_entry_port(before), placeholder | (before & ~MAP_PORT_MASK));
    atomic_fetch_add(&map->late_count, 1);
    *entry = real | flags;
    return true;
}

bool map_enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry)
{
    return enter_late(map, placeholder, real, 0, entry);
}

static bool means_something(const struct map *map, unsigned port)
{
    for (unsigned i = 0; i < MAP_STOCK; i++)
        if (atomic_load(&map->stock[i]) == port)
            return true;
    return atomic_load(&map->to_kernel[port]) != 0 || portbits_has(&map->late_listed[0], port) ||
           portbits_has(&map->late_listed[1], port) ||
           (atomic_load(&map->given[port / 64]) >> (port % 64) & 1) != 0;
}

bool map_choose_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry)
{
    return real != placeholder && !means_something(map, real) &&
           enter_late(map, placeholder, real, MAP_CHOSEN, entry);
}

bool map_take_late(struct map *map, unsigned placeholder, uint32_t *entry)
{
    unsigned real = stock_get(map, map->to_program);
    if (real == 0) {
        *entry = atomic_load(&map->to_kernel[placeholder]);
        return false;
    }
    if (map_enter_late(map, placeholder, real, entry))
        return true;
    map_stock_put(map, real);
    return false;
}

uint32_t map_share_late(struct map *map, unsigned placeholder)
{
    return atomic_fetch_or(&map->to_kernel[placeholder], MAP_USED);
}

void map_wake(struct map *map)
{
    atomic_fetch_add(&map->generation, 1);
    /* Whoever still waits sets it again. If one that was killed left it set, each wake would cost a call. */
    if (atomic_exchange(&map->waiters, 0) != 0)
        kernel_call(SYS_futex, &map->generation, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void map_wait(struct map *map, uint32_t seen, unsigned milliseconds)
{
    struct timespec limit = {.tv_sec = (time_t)(milliseconds / 1000),
                             .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    atomic_store(&map->waiters, 1);
    kernel_call(SYS_futex, &map->generation, FUTEX_WAIT, seen, &limit, NULL, 0);
}

void map_log(struct map *map, enum map_event event, int pid, unsigned placeholder, unsigned real, int error)
{
    uint32_t slot = atomic_fetch_add(&map->log_next, 1) % MAP_LOG;
    map->log[slot] = (struct map_record){.clock = process_clock(),
                                         .pid = pid,
                                         .event = (uint16_t)event,
                                         .placeholder = (uint16_t)placeholder,
                                         .real = (uint16_t)real,
                                         .error = (int16_t)error};
}

bool map_was_joined(const struct map *map, uint32_t from)
{
    uint32_t next = atomic_load(&map->log_next);
    bool joined = next - from > MAP_LOG / 2;
    for (; from != next && !joined; from++)
        joined = map->log[from % MAP_LOG].event == MAP_EVENT_ATTACH;
    return joined;
}

static const char *const about_keys[] = {[MAP_ABOUT_COMMAND] = "command",
                                         [MAP_ABOUT_NAME] = "name",
                                         [MAP_ABOUT_OUTER] = "outer",
                                         [MAP_ABOUT_SERVER] = "portserver",
                                         [MAP_ABOUT_FILE] = "file"};

/* The texts lie one after the other; an empty one is the end. */
static size_t about_end(const struct map *map)
{
    size_t at = 0;
    while (map->about[at] != '\0')
        at += strlen(map->about + at) + 1;
    return at;
}

bool map_about_add(struct map *map, enum map_about key, const char *value)
{
    size_t at = about_end(map);
    if (at + 2 > MAP_ABOUT - 1)
        return false;
    struct text t = text_in(map->about + at, MAP_ABOUT - 1 - at);
    text_str(&t, about_keys[key]);
    text_char(&t, '=');
    text_str(&t, value);
    if (t.cut)
        memset(map->about + at, 0, MAP_ABOUT - at);
    return !t.cut;
}

const char *map_about(const struct map *map, enum map_about key, unsigned n)
{
    size_t len = strlen(about_keys[key]);
    for (size_t at = 0; map->about[at] != '\0'; at += strlen(map->about + at) + 1) {
        const char *text = map->about + at;
        if (strncmp(text, about_keys[key], len) == 0 && text[len] == '=' && n-- == 0)
            return text + len + 1;
    }
    return NULL;
}
