#include "run/map.h"

#include "base/file.h"
#include "base/kernel.h"
#include "error.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

/* Ports below this need a privilege to be bound: nobody but the owner may choose one. */
enum { UNPRIVILEGED = 1024 };

/* The log of the notes, which comes in two sizes. */
struct log {
    struct map_record *records;
    uint32_t size;
};

static struct map_pair unpack(uint64_t word)
{
    return (struct map_pair){.placeholder = (uint16_t)word,
                             .real = (uint16_t)(word >> 16),
                             .alias = (uint16_t)(word >> 32),
                             .flags = (uint16_t)(word >> 48)};
}

static uint64_t pack(struct map_pair pair)
{
    return (uint64_t)pair.flags << 48 | (uint64_t)pair.alias << 32 | (uint64_t)pair.real << 16 |
           pair.placeholder;
}

static uint32_t alias_flags(struct map_pair pair)
{
    uint32_t protocols = (uint32_t)(pair.flags & PORTMAP_BOTH) << MAP_PROTOCOLS_SHIFT;
    return protocols | MAP_ALIAS | (pair.flags & MAP_PAIR_ALIAS_INHERITED ? MAP_INHERITED : 0);
}

uint32_t map_start_count(const struct map *map)
{
    uint32_t count = atomic_load_explicit(&map->head->start_count, memory_order_acquire);
    return count < MAP_START_MAX ? count : MAP_START_MAX;
}

struct map_pair map_start(const struct map *map, uint32_t i)
{
    return unpack(atomic_load_explicit(&map->head->start[i], memory_order_relaxed));
}

static void set_start(struct map *map, uint32_t i, struct map_pair pair)
{
    atomic_store(&map->head->start[i], pack(pair));
}

/* The index of a placeholder in start[]; the count when it is not there. */
static uint32_t find_start(const struct map *map, unsigned placeholder)
{
    uint32_t count = map_start_count(map), i = 0;
    while (i < count && (map_start(map, i).placeholder != placeholder || map_start(map, i).real == 0))
        i++;
    return i;
}

/* What start[], from start[first] on, says of a port. */
static uint32_t start_to_kernel(const struct map *map, uint32_t first, unsigned port)
{
    uint32_t count = map_start_count(map);
    for (uint32_t i = first; i < count; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.placeholder == port && pair.real != 0)
            return map_pair_entry(pair);
        if (pair.alias == port && port != 0)
            return pair.placeholder | alias_flags(pair);
    }
    return 0;
}

static uint32_t start_to_program(const struct map *map, uint32_t first, unsigned port)
{
    uint32_t count = map_start_count(map);
    for (uint32_t i = first; i < count; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.real == port && port != 0)
            return pair.placeholder | (map_pair_entry(pair) & ~MAP_PORT_MASK);
        if (pair.placeholder == port && pair.alias != 0)
            return pair.alias | alias_flags(pair);
    }
    return 0;
}

unsigned map_late_protocols(const struct map *map, unsigned placeholder)
{
    const struct map_head *head = map->head;
    return map->late == NULL ? 0
                             : (unsigned)portbits_has(&head->late[0], placeholder) * PORTMAP_TCP |
                                   (unsigned)portbits_has(&head->late[1], placeholder) * PORTMAP_UDP;
}

bool map_late_is_listed(const struct map *map, unsigned placeholder)
{
    const struct map_head *head = map->head;
    return map->late != NULL && (portbits_has(&head->late_listed[0], placeholder) ||
                                 portbits_has(&head->late_listed[1], placeholder));
}

static bool is_granted(const struct map *map, unsigned port)
{
    return atomic_load_explicit(&map->head->granted[port / 64], memory_order_relaxed) >> (port % 64) & 1;
}

void map_grant(struct map *map, unsigned port)
{
    atomic_fetch_or(&map->head->granted[port / 64], UINT64_C(1) << (port % 64));
}

void map_revoke(struct map *map, unsigned port)
{
    atomic_fetch_and(&map->head->granted[port / 64], ~(UINT64_C(1) << (port % 64)));
}

/* The one form that the entry of a late placeholder, or of its alias, can have beside the port in it. */
static uint32_t late_flags(const struct map *map, unsigned placeholder, uint32_t how)
{
    return map_late_protocols(map, placeholder) << MAP_PROTOCOLS_SHIFT | MAP_LATE | how;
}

/* Whether the kernel may choose the port by itself for anybody: else it is not believed to have done so. */
static bool is_choosable(const struct map *map, unsigned port)
{
    return map_is_ephemeral(map, port) && port >= UNPRIVILEGED;
}

/*
 * An entry of the late tables if it can be one, else 0: any process of the run can have written anything
 * there. `placeholder` and `number`, its real port or alias, are what the entry joins.
 */
static uint32_t checked(const struct map *map, uint32_t entry, unsigned placeholder, unsigned number)
{
    uint32_t how = entry & (MAP_ALIAS | MAP_USED | MAP_CHOSEN), flags = late_flags(map, placeholder, how);
    bool is_late = map_late_protocols(map, placeholder) != 0;
    bool is_chosen = (how & (MAP_CHOSEN | MAP_ALIAS)) == MAP_CHOSEN && is_choosable(map, number);
    bool is_ours = is_chosen || is_granted(map, number);
    return is_late && is_ours && number != 0 && (entry & ~MAP_PORT_MASK) == flags ? entry : 0;
}

static uint32_t check_to_kernel(const struct map *map, unsigned port, uint32_t entry)
{
    unsigned other = map_entry_port(entry);
    return entry & MAP_ALIAS ? checked(map, entry, other, port) : checked(map, entry, port, other);
}

static uint32_t check_to_program(const struct map *map, unsigned port, uint32_t entry)
{
    unsigned other = map_entry_port(entry);
    return entry & MAP_ALIAS ? checked(map, entry, port, other) : checked(map, entry, other, port);
}

static uint32_t late_to_kernel(const struct map *map, unsigned port)
{
    uint32_t entry = map->late != NULL ? atomic_load(&map->late->to_kernel[port]) : 0;
    return entry != 0 ? check_to_kernel(map, port, entry) : 0;
}

static uint32_t late_to_program(const struct map *map, unsigned port)
{
    uint32_t entry = map->late != NULL ? atomic_load(&map->late->to_program[port]) : 0;
    return entry != 0 ? check_to_program(map, port, entry) : 0;
}

uint32_t map_to_kernel(const struct map *map, unsigned port)
{
    uint32_t entry = start_to_kernel(map, map->known, port);
    return entry != 0 ? entry : late_to_kernel(map, port);
}

uint32_t map_to_program(const struct map *map, unsigned port)
{
    uint32_t entry = start_to_program(map, map->known, port);
    return entry != 0 ? entry : late_to_program(map, port);
}

/* Whether a port means anything in the run, in either direction, also in what the caller has copied. */
static bool means_to_kernel(const struct map *map, unsigned port)
{
    return start_to_kernel(map, 0, port) != 0 || late_to_kernel(map, port) != 0;
}

static bool means_to_program(const struct map *map, unsigned port)
{
    return start_to_program(map, 0, port) != 0 || late_to_program(map, port) != 0;
}

unsigned map_real(const struct map *map, unsigned placeholder)
{
    uint32_t entry = map_to_kernel(map, placeholder);
    return entry & MAP_ALIAS ? 0 : map_entry_port(entry);
}

unsigned map_alias(const struct map *map, unsigned placeholder)
{
    uint32_t back = map_to_program(map, placeholder);
    return back & MAP_ALIAS ? map_entry_port(back) : 0;
}

unsigned map_protocols(const struct map *map, unsigned placeholder)
{
    uint32_t entry = map_to_kernel(map, placeholder);
    return entry != 0 && !(entry & MAP_ALIAS) ? map_entry_protocols(entry)
                                              : map_late_protocols(map, placeholder);
}

/* Enters what a number of the kernel's means to the program, unless it means something already. An entry that
 * cannot be one means nothing. */
static bool enter_back(struct map *map, unsigned real, uint32_t entry)
{
    _Atomic uint32_t *place = &map->late->to_program[real];
    uint32_t there = atomic_load(place);
    return start_to_program(map, 0, real) == 0 && (there == 0 || check_to_program(map, real, there) == 0) &&
           atomic_compare_exchange_strong(place, &there, entry);
}

/* Removes that entry, unless the number means something else by now. */
static void remove_back(struct map *map, unsigned real, uint32_t entry)
{
    atomic_compare_exchange_strong(&map->late->to_program[real], &entry, 0);
}

/* Makes a number free of late aliases before it becomes a placeholder, or a real port, known at start. */
static void withdraw_late(struct map *map, unsigned placeholder, unsigned real)
{
    uint32_t alias = atomic_exchange(&map->late->to_kernel[placeholder], 0);
    uint32_t back = atomic_exchange(&map->late->to_program[real], 0);
    if (alias & MAP_ALIAS)
        remove_back(map, map_entry_port(alias), placeholder | (alias & ~MAP_PORT_MASK));
    uint32_t there = real | (back & ~MAP_PORT_MASK);
    if (back & MAP_ALIAS)
        atomic_compare_exchange_strong(&map->late->to_kernel[map_entry_port(back)], &there, 0);
}

/* The same for aliases known at start. */
static void withdraw_aliases(struct map *map, unsigned placeholder, unsigned real)
{
    uint32_t count = atomic_load(&map->head->alias_count) > 0 ? map_start_count(map) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.alias != 0 && (pair.alias == placeholder || pair.placeholder == real)) {
            pair.alias = 0;
            set_start(map, i, pair);
        }
    }
}

/* Makes the head's file long enough for start[i]. */
static int make_room(const struct map *map, uint32_t i)
{
    size_t at = offsetof(struct map_head, start) + i * sizeof(uint64_t);
    return at % MAP_PAGE == 0 ? file_allocate_from(map->fd, at, MAP_PAGE) : 0;
}

int map_assign(struct map *map, unsigned placeholder, unsigned real, uint32_t protocols_and_flags)
{
    uint32_t count = map_start_count(map);
    int error = count == MAP_START_MAX ? PORTMAP_ETOOMANY : make_room(map, count);
    if (error != 0)
        return error;
    if (map->late != NULL)
        withdraw_late(map, placeholder, real);
    withdraw_aliases(map, placeholder, real);
    set_start(map, count,
              (struct map_pair){.placeholder = (uint16_t)placeholder,
                                .real = (uint16_t)real,
                                .flags = (uint16_t)(protocols_and_flags >> MAP_PROTOCOLS_SHIFT)});
    atomic_store(&map->head->start_count, count + 1);
    return 0;
}

static bool enter_alias_at_start(struct map *map, uint32_t i, unsigned alias, uint32_t whose)
{
    struct map_pair pair = map_start(map, i);
    if (means_to_kernel(map, alias) || map_late_protocols(map, alias) != 0 ||
        means_to_program(map, pair.placeholder))
        return false;
    pair.alias = (uint16_t)alias;
    pair.flags = (uint16_t)(pair.flags & ~MAP_PAIR_ALIAS_INHERITED);
    if (whose & MAP_INHERITED)
        pair.flags |= MAP_PAIR_ALIAS_INHERITED;
    set_start(map, i, pair);
    atomic_fetch_add(&map->head->alias_count, 1);
    return true;
}

static bool enter_alias_late(struct map *map, unsigned placeholder, unsigned alias)
{
    _Atomic uint32_t *place = &map->late->to_kernel[alias];
    uint32_t flags = late_flags(map, placeholder, MAP_ALIAS);
    uint32_t before = atomic_load(place), there = placeholder | flags;
    if (start_to_kernel(map, 0, alias) != 0 || (before != 0 && check_to_kernel(map, alias, before) != 0) ||
        !atomic_compare_exchange_strong(place, &before, there))
        return false;
    if (enter_back(map, placeholder, alias | flags))
        return true;
    atomic_compare_exchange_strong(place, &there, 0);
    return false;
}

bool map_enter_alias(struct map *map, unsigned placeholder, unsigned alias, uint32_t whose)
{
    uint32_t i = find_start(map, placeholder);
    if (i < map_start_count(map))
        return enter_alias_at_start(map, i, alias, whose);
    return map->late != NULL && enter_alias_late(map, placeholder, alias);
}

void map_unassign(struct map *map, uint32_t i)
{
    struct map_pair pair = map_start(map, i);
    set_start(map, i, (struct map_pair){.placeholder = pair.placeholder});
}

void map_shorten(struct map *map, uint32_t count)
{
    atomic_store(&map->head->start_count, count);
}

unsigned map_stock(const struct map *map, unsigned i)
{
    uint32_t port = map->late != NULL ? atomic_load(&map->late->stock[i]) : 0;
    return port > 0 && port < PORT_COUNT && is_granted(map, port) ? port : 0;
}

bool map_stock_put(struct map *map, unsigned port)
{
    for (unsigned i = 0; map->late != NULL && i < MAP_STOCK; i++) {
        uint32_t there = atomic_load(&map->late->stock[i]);
        if (map_stock(map, i) == 0 && atomic_compare_exchange_strong(&map->late->stock[i], &there, port))
            return true;
    }
    return false;
}

bool map_stock_remove(struct map *map, unsigned port)
{
    for (unsigned i = 0; map->late != NULL && i < MAP_STOCK; i++) {
        uint32_t there = port;
        if (atomic_compare_exchange_strong(&map->late->stock[i], &there, 0))
            return true;
    }
    return false;
}

/* Takes a port out of the stock that means nothing yet in one direction; 0: there is none. */
static unsigned stock_get(struct map *map, bool (*means)(const struct map *map, unsigned port))
{
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        uint32_t port = map_stock(map, i);
        if (port != 0 && !means(map, port) && atomic_compare_exchange_strong(&map->late->stock[i], &port, 0))
            return port;
    }
    return 0;
}

bool map_alias_late(struct map *map, unsigned placeholder)
{
    for (unsigned tries = 0; tries < MAP_STOCK && map_is_ephemeral(map, placeholder); tries++) {
        if (means_to_program(map, placeholder))
            return true;
        unsigned alias = stock_get(map, means_to_kernel);
        if (alias == 0)
            return false;
        if (!map_enter_alias(map, placeholder, alias, 0))
            map_stock_put(map, alias);
    }
    return true;
}

/* Puts an entry in the place of *before. *before becomes the entry in force when that fails. */
static bool replace(struct map *map, unsigned placeholder, uint32_t *before, uint32_t entry)
{
    _Atomic uint32_t *place = &map->late->to_kernel[placeholder];
    uint32_t there = atomic_load(place);
    if (check_to_kernel(map, placeholder, there) == *before &&
        atomic_compare_exchange_strong(place, &there, entry))
        return true;
    *before = late_to_kernel(map, placeholder);
    return false;
}

static bool enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t how, uint32_t *entry)
{
    uint32_t before = *entry, flags = late_flags(map, placeholder, how);
    if (!enter_back(map, real, placeholder | flags))
        return false;
    if (!replace(map, placeholder, entry, real | flags)) {
        remove_back(map, real, placeholder | flags);
        return false;
    }
    if (before != 0)
        remove_back(map, map_entry_port(before), placeholder | (before & ~MAP_PORT_MASK));
    atomic_fetch_add(&map->late->count, 1);
    *entry = real | flags;
    return true;
}

bool map_enter_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry)
{
    return map->late != NULL && enter_late(map, placeholder, real, 0, entry);
}

static bool means_something(const struct map *map, unsigned port)
{
    for (unsigned i = 0; i < MAP_STOCK; i++)
        if (map_stock(map, i) == port)
            return true;
    return means_to_kernel(map, port) || map_late_is_listed(map, port) || map_was_given(map, port);
}

bool map_choose_late(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry)
{
    return map->late != NULL && real != placeholder && is_choosable(map, real) &&
           !means_something(map, real) && enter_late(map, placeholder, real, MAP_CHOSEN, entry);
}

bool map_take_late(struct map *map, unsigned placeholder, uint32_t *entry)
{
    unsigned real = map->late != NULL ? stock_get(map, means_to_program) : 0;
    if (real == 0) {
        *entry = late_to_kernel(map, placeholder);
        return false;
    }
    if (map_enter_late(map, placeholder, real, entry))
        return true;
    map_stock_put(map, real);
    return false;
}

uint32_t map_share_late(struct map *map, unsigned placeholder)
{
    uint32_t before = late_to_kernel(map, placeholder);
    if (before == 0)
        return 0;
    return check_to_kernel(map, placeholder, atomic_fetch_or(&map->late->to_kernel[placeholder], MAP_USED));
}

void map_note_given(struct map *map, unsigned placeholder)
{
    if (map->late != NULL)
        atomic_fetch_or(&map->late->given[placeholder / 64], UINT64_C(1) << (placeholder % 64));
}

bool map_was_given(const struct map *map, unsigned placeholder)
{
    return map->late != NULL && (atomic_load(&map->late->given[placeholder / 64]) >> (placeholder % 64) & 1);
}

void map_wake(struct map *map)
{
    if (map->notes == NULL)
        return;
    atomic_fetch_add(&map->notes->generation, 1);
    /* Whoever still waits sets it again. If one that was killed left it set, each wake would cost a call. */
    if (atomic_exchange(&map->notes->waiters, 0) != 0)
        kernel_call(SYS_futex, &map->notes->generation, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint32_t map_generation(const struct map *map)
{
    return atomic_load(&map->notes->generation);
}

void map_wait(struct map *map, uint32_t seen, unsigned milliseconds)
{
    struct timespec limit = {.tv_sec = (time_t)(milliseconds / 1000),
                             .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    atomic_store(&map->notes->waiters, 1);
    kernel_call(SYS_futex, &map->notes->generation, FUTEX_WAIT, seen, &limit, NULL, 0);
}

static struct log log_of(const struct map *map)
{
    if (map->notes == NULL)
        return (struct log){.records = NULL};
    if (map->has_large_notes)
        return (struct log){map->large_notes->log,
                            sizeof map->large_notes->log / sizeof *map->large_notes->log};
    return (struct log){map->notes->log, sizeof map->notes->log / sizeof *map->notes->log};
}

void map_log(struct map *map, enum map_event event, int pid, unsigned placeholder, unsigned real, int error)
{
    struct log log = log_of(map);
    if (log.size == 0)
        return;
    uint32_t slot = atomic_fetch_add(&map->notes->log_next, 1) % log.size;
    log.records[slot] = (struct map_record){.date = process_date(),
                                            .pid = pid,
                                            .event = (uint16_t)event,
                                            .placeholder = (uint16_t)placeholder,
                                            .real = (uint16_t)real,
                                            .error = (int16_t)error};
}

uint32_t map_log_next(const struct map *map)
{
    return map->notes != NULL ? atomic_load(&map->notes->log_next) : 0;
}

uint32_t map_log_size(const struct map *map)
{
    return log_of(map).size;
}

struct map_record map_log_record(const struct map *map, uint32_t n)
{
    struct log log = log_of(map);
    struct map_record record = {.event = MAP_EVENT_NONE};
    if (log.size > 0)
        record = log.records[n % log.size];
    if (record.event >= MAP_EVENTS)
        record.event = MAP_EVENT_NONE;
    return record;
}

bool map_was_joined(const struct map *map, uint32_t from)
{
    uint32_t next = map_log_next(map);
    bool joined = next - from > map_log_size(map) / 2;
    for (; from != next && !joined; from++)
        joined = map_log_record(map, from).event == MAP_EVENT_ATTACH;
    return joined;
}

/* The word and the bit for a placeholder; NULL when there is none, or this process cannot note anything. */
static _Atomic uint64_t *bound_word(const struct map *map, unsigned placeholder, uint64_t *bit)
{
    uint32_t i = map->late == NULL ? find_start(map, placeholder) : placeholder;
    *bit = UINT64_C(1) << (i % 64);
    if (map->late != NULL)
        return &map->late->bound[i / 64];
    return map->notes != NULL && i < MAP_START_MAX ? &map->notes->bound[i / 64] : NULL;
}

void map_note_bound(struct map *map, unsigned placeholder)
{
    uint64_t bit;
    _Atomic uint64_t *word = bound_word(map, placeholder, &bit);
    if (word != NULL && !(atomic_load_explicit(word, memory_order_relaxed) & bit))
        atomic_fetch_or(word, bit);
}

bool map_was_bound(const struct map *map, unsigned placeholder)
{
    uint64_t bit;
    const _Atomic uint64_t *word = bound_word(map, placeholder, &bit);
    return word != NULL && (atomic_load(word) & bit) != 0;
}

bool map_any_bound(const struct map *map)
{
    uint64_t any = 0;
    for (unsigned i = 0; map->late != NULL && i < PORTBITS_WORDS; i++)
        any |= atomic_load(&map->late->bound[i]);
    for (unsigned i = 0; map->notes != NULL && i < MAP_START_MAX / 64; i++)
        any |= atomic_load(&map->notes->bound[i]);
    return any != 0;
}
