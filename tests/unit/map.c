#include "maps.h"

#include "error.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct pair pairs[PAIRS];

/* Maps of each kind. */
static struct map *(*const kinds[])(void) = {new_map, new_late_map, new_discovering_map};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void check_pair(const struct map *map, const struct pair *pair)
{
    equal(map_real(map, pair->placeholder), pair->real);
    equal(map_alias(map, pair->placeholder), pair->alias);
    equal(map_protocols(map, pair->placeholder), pair->protocols);
    equal(map_entry_port(map_to_program(map, pair->real)), pair->placeholder);
    equal(map_entry_protocols(map_to_program(map, pair->real)), pair->protocols);
    if (pair->alias != 0)
        equal(map_entry_port(map_to_kernel(map, pair->alias)), pair->placeholder);
}

TEST("what is entered is found, in whatever order")
{
    for (unsigned round = 0; round < 48; round++) {
        struct map *map = kinds[round % KINDS]();
        assign_pairs(map, pairs);
        equal(map_start_count(map), PAIRS);
        for (unsigned i = 0; i < PAIRS; i++) {
            check_pair(map, &pairs[i]);
            equal(map_start(map, i).placeholder, pairs[i].placeholder);
            equal(map_start(map, i).real, pairs[i].real);
            equal(map_start(map, i).alias, pairs[i].alias);
        }
        drop_map(map);
    }
}

TEST("what is taken back is gone, and nothing else is")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        bool gone[PAIRS];
        assign_pairs(map, pairs);
        for (unsigned i = 0; i < PAIRS; i++) {
            gone[i] = below(2) == 0;
            if (gone[i])
                map_unassign(map, i);
        }
        for (unsigned i = 0; i < PAIRS; i++) {
            if (!gone[i]) {
                check_pair(map, &pairs[i]);
                continue;
            }
            equal(map_real(map, pairs[i].placeholder), 0);
            equal(map_protocols(map, pairs[i].placeholder), 0);
            equal(map_alias(map, pairs[i].placeholder), 0);
            check(map_entry_port(map_to_program(map, pairs[i].real)) != pairs[i].placeholder, "%u",
                  pairs[i].real);
            equal(map_start(map, i).real, 0);
            equal(map_pair_entry(map_start(map, i)), 0);
        }
    }
}

TEST("a placeholder that was taken back can be assigned again, and then has the newer port alone")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        assign(map, 8080, 20000, PORTMAP_TCP);
        assign(map, 9090, 20001, PORTMAP_BOTH);
        take_back(map, 8080);
        assign(map, 8080, 20002, PORTMAP_UDP);
        equal(map_real(map, 8080), 20002);
        equal(map_protocols(map, 8080), PORTMAP_UDP);
        equal(map_to_program(map, 20000), 0);
    }
}

TEST("an alias goes to the newer assignment of a placeholder, and is taken back with it")
{
    struct map *map = new_map();
    assign(map, EPHEMERAL_FIRST, 20000, PORTMAP_BOTH);
    take_back(map, EPHEMERAL_FIRST);
    assign(map, EPHEMERAL_FIRST, 20001, PORTMAP_BOTH);
    check(map_enter_alias(map, EPHEMERAL_FIRST, 20002, MAP_INHERITED), "no alias");
    equal(map_start(map, 0).alias, 0);
    equal(map_start(map, 1).alias, 20002);
    check((map_to_kernel(map, 20002) & MAP_INHERITED) != 0, "it is the outer run's");
    equal(map_to_program(map, EPHEMERAL_FIRST) & MAP_INHERITED, MAP_INHERITED);
    equal(map_to_kernel(map, EPHEMERAL_FIRST) & MAP_INHERITED, 0);
    take_back(map, EPHEMERAL_FIRST);
    equal(map_to_kernel(map, 20002), 0);
    equal(map_to_program(map, EPHEMERAL_FIRST), 0);
}

TEST("the last ones that were taken back leave their places to others, and nothing of theirs")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    assign(map, EPHEMERAL_FIRST, 20001, PORTMAP_BOTH);
    check(map_enter_alias(map, EPHEMERAL_FIRST, 20002, 0), "no alias");
    map_unassign(map, 1);
    map_shorten(map, 1);
    equal(map_start_count(map), 1);
    assign(map, 9090, 20003, PORTMAP_BOTH);
    equal(map_start_count(map), 2);
    equal(map_real(map, 9090), 20003);
    equal(map_alias(map, 9090), 0);
    equal(map_real(map, EPHEMERAL_FIRST), 0);
    equal(map_to_kernel(map, 20002), 0);
    check(!map_was_bound(map, 9090), "bound");
}

/* The disk space that the head's file has. */
static off_t allocated(const struct map *map)
{
    struct stat st;
    check(fstat(map->fd, &st) == 0, "%m");
    return st.st_blocks * 512;
}

TEST("as many placeholders are known at start as fit, and one more is refused")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        for (unsigned i = 0; i < MAP_START_MAX; i++)
            assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
        equal(map_assign(map, 10000, 30000, PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT), PORTMAP_ETOOMANY);
        equal(map_start_count(map), MAP_START_MAX);
        equal(map_real(map, 10000), 0);
        for (unsigned i = 0; i < MAP_START_MAX; i++)
            equal(map_real(map, 1 + i), 20000 + i);
    }
}

TEST("the head has one page for a few assignments, and grows by a page when they do not fit")
{
    enum { IN_FIRST_PAGE = 484 };
    struct map *map = new_map();
    struct stat st;
    for (unsigned i = 0; i < MAP_START_MAX; i++) {
        unsigned pages = i <= IN_FIRST_PAGE ? 1 : 2 + (i - IN_FIRST_PAGE - 1) / (MAP_PAGE / 8);
        check(fstat(map->fd, &st) == 0, "%m");
        equal(st.st_size, pages * MAP_PAGE);
        assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
    }
}

TEST("what is written to the head has space on the disk first, also where the file was long already")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        for (unsigned i = 0; i < MAP_START_MAX; i++) {
            off_t before = allocated(map);
            assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
            if (i == 484 || i == 484 + 512)
                check(allocated(map) > before, "after %u", i);
        }
        check(allocated(map) >= (off_t)(MAP_START_MAX * sizeof(uint64_t)), "%lld", (long long)allocated(map));
    }
}

TEST("where the file may not grow an assignment is refused, and those before stay")
{
    enum { IN_FIRST_PAGE = 484 };
    struct map *map = new_map();
    const struct rlimit page = {MAP_PAGE, MAP_PAGE};
    for (unsigned i = 0; i < IN_FIRST_PAGE; i++)
        assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
    check(setrlimit(RLIMIT_FSIZE, &page) == 0, "%m");
    equal(map_assign(map, 10000, 30000, PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT), -EFBIG);
    equal(map_start_count(map), IN_FIRST_PAGE);
    equal(map_real(map, 10000), 0);
    equal(map_real(map, IN_FIRST_PAGE), 20000 + IN_FIRST_PAGE - 1);
}

TEST("an alias is refused where one of the two numbers means something, and makes way for a placeholder")
{
    struct map *map = new_map();
    assign(map, 40000, 20000, PORTMAP_BOTH);
    assign(map, 40001, 40002, PORTMAP_BOTH);
    assign(map, 40002, 20001, PORTMAP_BOTH);
    check(!map_enter_alias(map, 40000, 40001, 0), "40001 is a placeholder");
    check(!map_enter_alias(map, 40002, 20002, 0), "40002 is a real port");
    equal(map_alias(map, 40002), 0);
    check(map_enter_alias(map, 40000, 20002, 0), "both mean nothing");
    equal(map_alias(map, 40000), 20002);
    take_back(map, 40000);
    check(map_enter_alias(map, 40001, 20002, 0), "it went with its placeholder");
    assign(map, 20002, 20003, PORTMAP_BOTH);
    equal(map_real(map, 20002), 20003);
    equal(map_alias(map, 40001), 0);
}

TEST("the alias of a late placeholder makes way, too: for a placeholder, and for a real port")
{
    struct map *map = new_late_map();
    for (unsigned i = 0; i < 2; i++) {
        uint32_t entry = 0;
        list_late(map, EPHEMERAL_FIRST + i, PORTMAP_BOTH, BY_NUMBER);
        check(enter_leased(map, EPHEMERAL_FIRST + i, 20000 + i, &entry), "not assigned");
        check(put_in_stock(map, 20010 + i) && map_alias_late(map, EPHEMERAL_FIRST + i), "no alias");
        equal(map_alias(map, EPHEMERAL_FIRST + i), 20010 + i);
    }
    assign(map, 20010, 20020, PORTMAP_BOTH);
    equal(map_real(map, 20010), 20020);
    equal(map_to_program(map, EPHEMERAL_FIRST), 0);
    assign(map, 8080, EPHEMERAL_FIRST + 1, PORTMAP_BOTH);
    equal(map_entry_port(map_to_program(map, EPHEMERAL_FIRST + 1)), 8080);
    equal(map_to_kernel(map, 20011), 0);
    equal(map_real(map, EPHEMERAL_FIRST), 20000);
    equal(map_real(map, EPHEMERAL_FIRST + 1), 20001);
}

TEST("late placeholders are for the protocols that they were listed for, and for those when they have a port")
{
    struct map *map = new_late_map();
    for (unsigned protocols = 1; protocols <= PORTMAP_BOTH; protocols++) {
        uint32_t entry = 0;
        list_late(map, 8080 + protocols, protocols, BY_NUMBER);
        equal(map_late_protocols(map, 8080 + protocols), protocols);
        check(enter_leased(map, 8080 + protocols, 20000 + protocols, &entry), "%u", protocols);
        equal(map_entry_protocols(entry), protocols);
        equal(map_entry_port(entry), 20000 + protocols);
        equal(map_protocols(map, 8080 + protocols), protocols);
    }
    equal(map_protocols(map, 9090), 0);
}

TEST("the stock gives what it was given, each once, and takes no more than it has room for")
{
    struct map *map = new_late_map();
    bool given[MAP_STOCK] = {false};
    for (unsigned i = 0; i < MAP_STOCK; i++)
        check(put_in_stock(map, 20000 + i), "%u", i);
    check(!put_in_stock(map, 30000), "it is full");
    check(map_stock_remove(map, 20003) && !map_stock_remove(map, 20003), "20003");
    for (unsigned i = 0; i < MAP_STOCK - 1; i++) {
        uint32_t entry = 0;
        list_late(map, 8080 + i, PORTMAP_BOTH, BY_ALL);
        check(map_take_late(map, 8080 + i, &entry), "%u", i);
        unsigned k = map_entry_port(entry) - 20000;
        check(k < MAP_STOCK && k != 3 && !given[k], "%u", k);
        given[k] = true;
    }
    uint32_t entry = 0;
    check(!map_take_late(map, 9090, &entry) && entry == 0, "it is empty");
}

TEST("an entry that was shared is not replaced, and who shares it gets the one in force")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    put_in_stock(map, 20000);
    check(map_take_late(map, 8080, &entry), "not assigned");
    uint32_t swapped = entry;
    check(enter_leased(map, 8080, 20001, &swapped), "not swapped");
    equal(map_share_late(map, 8080), swapped);
    uint32_t old = swapped;
    check(!enter_leased(map, 8080, 20002, &swapped), "it is shared");
    equal(map_entry_port(swapped), 20001);
    check(swapped != old, "not what is in force");
}

TEST("a port that the kernel chose is not a placeholder's where it means something in the run")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    set_ephemeral(map, 8080, EPHEMERAL_LAST);
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    list_late(map, 8081, PORTMAP_BOTH, BY_NUMBER);
    assign(map, 8082, 20000, PORTMAP_BOTH);
    list_late(map, 8083, PORTMAP_TCP, BY_NUMBER);
    list_late(map, 8084, PORTMAP_UDP, BY_NUMBER);
    put_in_stock(map, 20001);
    static const unsigned taken[] = {8080, 8081, 8082, 8083, 8084, 20000, 20001};
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        check(!map_choose_late(map, 8080, taken[i], &entry) && entry == 0, "%u", taken[i]);
    check(map_choose_late(map, 8080, 20002, &entry) && (entry & MAP_CHOSEN) != 0, "20002");
    equal(map_real(map, 8080), 20002);
}

static void *wait_for_it(void *map)
{
    struct map *of = map;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (uint32_t seen; (seen = map_generation(of)) == 0;)
        map_wait(of, seen, 50000);
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (void *)(after.tv_sec - before.tv_sec);
}

TEST("who waits is woken, and who has seen the newest state is not kept waiting for an old one")
{
    struct map *map = new_map();
    pthread_t thread;
    void *seconds;
    check(pthread_create(&thread, NULL, wait_for_it, map) == 0, "no thread");
    while (atomic_load(&map->notes->waiters) == 0)
        usleep(1000);
    map_wake(map);
    pthread_join(thread, &seconds);
    check((long)seconds < 40, "%ld s", (long)seconds);
    map_wait(map, 0, 1000 * 2 * UNIT_SECONDS); /* at once, or the test is ended */
}

TEST("the log keeps the newest records, and knows who joined since")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        uint32_t size = map_log_size(map);
        check(size >= 64, "%u", size);
        equal(newest(map).event, MAP_EVENT_NONE);
        map_log(map, MAP_EVENT_ATTACH, 1, 0, 0, 0);
        uint32_t from = map_log_next(map);
        check(map_was_joined(map, from - 1) && !map_was_joined(map, from), "joined");
        map_log(map, MAP_EVENT_REFUSED, 2, 8080, 20000, EACCES);
        check(!map_was_joined(map, from), "nobody has joined");
        struct map_record record = map_log_record(map, from);
        check(record.pid == 2 && record.placeholder == 8080 && record.real == 20000 &&
                  record.error == EACCES && record.event == MAP_EVENT_REFUSED,
              "pid %d", record.pid);
        for (unsigned i = 0; i < size; i++) {
            map_log(map, MAP_EVENT_LATE, 3 + (int)i, 8080, 20000, 0);
            equal(newest(map).pid, 3 + i);
        }
        check(map_was_joined(map, from), "so much has happened that nobody knows");
        for (unsigned i = 0; i < size; i++)
            equal(map_log_record(map, map_log_next(map) - size + i).pid, 3 + i);
    }
}

TEST("that a placeholder was bound is told of it alone, of the first as of the last")
{
    for (unsigned round = 0; round < KINDS; round++) {
        struct map *map = kinds[round]();
        for (unsigned i = 0; i < MAP_START_MAX; i++)
            assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
        check(!map_any_bound(map), "any");
        for (unsigned i = 0; i < MAP_START_MAX; i += MAP_START_MAX - 1) {
            map_note_bound(map, 1 + i);
            check(map_any_bound(map), "any");
        }
        map_note_bound(map, 60000); /* none of ours */
        for (unsigned i = 0; i < MAP_START_MAX; i++)
            equal(map_was_bound(map, 1 + i), i == 0 || i == MAP_START_MAX - 1);
    }
}

/* What a process that has written anything to the late tables and the notes can have left there. */
static uint32_t any_word(void)
{
    return (uint32_t)random() << 16 ^ (uint32_t)random();
}

enum { FEW_FIRST = EPHEMERAL_FIRST - 100, FEW = 200 };

static unsigned few_port(void)
{
    return FEW_FIRST + below(FEW);
}

/* Something that is nearly an entry. */
static uint32_t any_entry(void)
{
    static const uint32_t flags[] = {MAP_ALIAS, MAP_LATE,   MAP_LATE,   MAP_LATE, MAP_LATE, MAP_INHERITED,
                                     MAP_USED,  MAP_CHOSEN, MAP_CHOSEN, 1 << 23,  1u << 31};
    uint32_t entry = few_port() | below(4) << MAP_PROTOCOLS_SHIFT | MAP_LATE;
    for (unsigned i = below(4); i > 0; i--)
        entry ^= flags[below(sizeof flags / sizeof *flags)];
    return below(10) == 0 ? 0 : below(20) == 0 ? any_word() : entry;
}

static void fill(void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)below(256);
}

static void spoil_late(struct map *map)
{
    bool nearly = below(3) > 0;
    if (!nearly)
        fill(map->late, sizeof *map->late);
    for (unsigned i = 0; nearly && i < FEW; i++) {
        atomic_store(&map->late->to_kernel[FEW_FIRST + i], any_entry());
        atomic_store(&map->late->to_program[FEW_FIRST + i], any_entry());
    }
    for (unsigned i = 0; i < MAP_STOCK; i++)
        atomic_store(&map->late->stock[i], below(3) == 0 ? any_word() : few_port());
}

/* An entry of the late tables that joins a late placeholder with a number of the run's own. */
static void check_late_entry(const struct map *map, uint32_t entry, unsigned placeholder, unsigned number)
{
    bool granted = portbits_has((const struct portbits *)(const void *)map->head->granted, number);
    bool chosen = (entry & MAP_CHOSEN) != 0 && !(entry & MAP_ALIAS) && map_is_ephemeral(map, number);
    check((entry & MAP_LATE) != 0 && !(entry & MAP_INHERITED), "%x", entry);
    check(map_late_protocols(map, placeholder) != 0, "%x: %u is not late", entry, placeholder);
    equal(map_entry_protocols(entry), map_late_protocols(map, placeholder));
    check(granted || chosen, "%x: %u is not ours", entry, number);
}

/* What the map says of each port; `start` is what was known at start, NULL where the caller has copied it. */
static void check_all(const struct map *map, const struct map *start)
{
    for (unsigned port = 0; port < PORT_COUNT; port++) {
        uint32_t there = map_to_kernel(map, port), back = map_to_program(map, port);
        uint32_t there_at_start = start != NULL ? map_to_kernel(start, port) : 0;
        uint32_t back_at_start = start != NULL ? map_to_program(start, port) : 0;
        unsigned to = map_entry_port(there), from = map_entry_port(back);
        if (there_at_start != 0)
            equal(there, there_at_start);
        else if (there != 0)
            check_late_entry(map, there, there & MAP_ALIAS ? to : port, there & MAP_ALIAS ? port : to);
        if (back_at_start != 0)
            equal(back, back_at_start);
        else if (back != 0)
            check_late_entry(map, back, back & MAP_ALIAS ? port : from, back & MAP_ALIAS ? from : port);
        unsigned real = map_real(map, port), protocols = map_protocols(map, port);
        check(real < PORT_COUNT && (real == 0 || real == to), "%u goes to %u", port, real);
        check(protocols == (real != 0 ? map_entry_protocols(there) : map_late_protocols(map, port)), "%u: %u",
              port, protocols);
    }
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        unsigned port = map_stock(map, i);
        check(port == 0 || portbits_has((const struct portbits *)(const void *)map->head->granted, port),
              "%u", port);
    }
}

/* A run with something of everything: `start` has the same assignments, and nothing late. */
static struct map *furnished(struct map *start)
{
    struct map *map = new_late_map();
    for (unsigned i = 0; i < 20; i++) {
        unsigned placeholder = few_port(), real = few_port();
        if (map_to_kernel(map, placeholder) != 0 || map_to_program(map, real) != 0)
            continue;
        assign(map, placeholder, real, 1 + below(3));
        assign(start, placeholder, real, map_protocols(map, placeholder));
    }
    for (uint32_t i = 0; i < map_start_count(map); i++) {
        unsigned placeholder = map_start(map, i).placeholder, alias = few_port();
        if (map_enter_alias(map, placeholder, alias, 0))
            check(map_enter_alias(start, placeholder, alias, 0), "%u", alias);
    }
    for (unsigned i = 0; i < 60; i++) {
        unsigned port = few_port();
        if (map_protocols(map, port) == 0 && map_to_kernel(map, port) == 0)
            list_late(map, port, 1 + below(3), below(2) == 0 ? BY_NUMBER : BY_ALL);
    }
    for (unsigned i = 0; i < 40; i++)
        map_grant(map, few_port());
    return map;
}

TEST("whatever is in the late tables, each number that is found in them is one of the run's own")
{
    for (unsigned round = 0; round < 60; round++) {
        struct map *start = new_map(), *map = furnished(start);
        spoil_late(map);
        check_all(map, start);
        map->known = map_start_count(map);
        check_all(map, NULL);
        drop_map(map);
        drop_map(start);
    }
}

TEST("so it is when late placeholders are assigned, shared and given aliases among that")
{
    for (unsigned round = 0; round < 40; round++) {
        struct map *start = new_map(), *map = furnished(start);
        spoil_late(map);
        map->known = below(2) == 0 ? map_start_count(map) : 0;
        for (unsigned step = 0; step < 300; step++) {
            unsigned placeholder = few_port(), number = few_port();
            uint32_t before = map_to_kernel(map, placeholder), entry = before & MAP_ALIAS ? 0 : before;
            bool assigned = false, is_late = map_late_protocols(map, placeholder) != 0;
            if (!is_late)
                continue;
            switch (below(6)) {
            case 0:
                assigned = map_take_late(map, placeholder, &entry);
                break;
            case 1:
                assigned = enter_leased(map, placeholder, number, &entry);
                break;
            case 2:
                assigned = map_choose_late(map, placeholder, number, &entry);
                break;
            case 3:
                map_alias_late(map, placeholder);
                break;
            case 4:
                entry = map_share_late(map, placeholder);
                break;
            default:
                map_stock_remove(map, number);
                put_in_stock(map, number);
                map_note_given(map, number);
            }
            if (assigned)
                equal(map_to_kernel(map, placeholder), entry);
            if (entry != 0)
                check_late_entry(map, entry, entry & MAP_ALIAS ? map_entry_port(entry) : placeholder,
                                 entry & MAP_ALIAS ? placeholder : map_entry_port(entry));
        }
        check_all(map, map->known == 0 ? start : NULL);
        drop_map(map);
        drop_map(start);
    }
}

TEST("what cannot be an entry is no obstacle to one")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    list_late(map, EPHEMERAL_FIRST, PORTMAP_BOTH, BY_NUMBER);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    list_late(map, 8081, PORTMAP_TCP, BY_NUMBER);
    memset(map->late, 0xff, sizeof *map->late);
    check(put_in_stock(map, 20000) && put_in_stock(map, 20001), "the stock is full");
    check(map_take_late(map, EPHEMERAL_FIRST, &entry), "not assigned");
    equal(map_real(map, EPHEMERAL_FIRST), 20000);
    check(map_alias_late(map, EPHEMERAL_FIRST), "no alias");
    equal(map_alias(map, EPHEMERAL_FIRST), 20001);
    check(enter_leased(map, 8080, 20002, (entry = 0, &entry)), "not assigned");
    equal(map_real(map, 8080), 20002);
    atomic_store(&map->late->given[EPHEMERAL_LAST / 64], 0); /* which can keep a port from being chosen */
    check(map_choose_late(map, 8081, EPHEMERAL_LAST, (entry = 0, &entry)), "not chosen");
    equal(map_real(map, 8081), EPHEMERAL_LAST);
    equal(map_share_late(map, 8081),
          EPHEMERAL_LAST | PORTMAP_TCP << MAP_PROTOCOLS_SHIFT | MAP_LATE | MAP_CHOSEN);
    assign(map, 9090, 20003, PORTMAP_BOTH);
    equal(map_real(map, 9090), 20003);
    equal(map_entry_port(map_to_program(map, 20003)), 9090);
}

TEST("a port that was given back is nobody's, though it still stands in the late tables")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    list_late(map, EPHEMERAL_FIRST, PORTMAP_BOTH, BY_NUMBER);
    check(enter_leased(map, 8080, 20000, &entry) && put_in_stock(map, 20001), "not assigned");
    check(enter_leased(map, EPHEMERAL_FIRST, 20002, (entry = 0, &entry)), "not assigned");
    check(map_alias_late(map, EPHEMERAL_FIRST) && map_alias(map, EPHEMERAL_FIRST) == 20001, "no alias");
    map_revoke(map, 20000);
    equal(map_real(map, 8080), 0);
    equal(map_to_program(map, 20000), 0);
    map_revoke(map, 20001);
    equal(map_alias(map, EPHEMERAL_FIRST), 0);
    equal(map_to_kernel(map, 20001), 0);
    equal(map_real(map, EPHEMERAL_FIRST), 20002);
}

TEST("a chosen port is believed only where the kernel chooses, and an alias is never a chosen one")
{
    const uint32_t flags = PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT | MAP_LATE;
    struct map *map = new_late_map();
    set_ephemeral(map, 1000, EPHEMERAL_LAST);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    static const struct {
        unsigned port;
        bool believed;
    } ports[] = {{999, false}, {1000, false},          {1023, false},
                 {1024, true}, {EPHEMERAL_LAST, true}, {EPHEMERAL_LAST + 1, false},
                 {0, false},   {65535, false}};
    for (unsigned i = 0; i < sizeof ports / sizeof *ports; i++) {
        unsigned port = ports[i].port;
        atomic_store(&map->late->to_kernel[8080], port | flags | MAP_CHOSEN);
        atomic_store(&map->late->to_program[port], 8080 | flags | MAP_CHOSEN);
        equal(map_real(map, 8080), ports[i].believed ? port : 0);
        equal(map_entry_port(map_to_program(map, port)), ports[i].believed ? 8080 : 0);
        atomic_store(&map->late->to_program[port], 0);
    }
    atomic_store(&map->late->to_kernel[20000], 8080 | flags | MAP_CHOSEN | MAP_ALIAS);
    atomic_store(&map->late->to_program[8080], 20000 | flags | MAP_CHOSEN | MAP_ALIAS);
    equal(map_to_kernel(map, 20000), 0);
    equal(map_alias(map, 8080), 0);
    map_grant(map, 20000);
    atomic_store(&map->late->to_kernel[20000], 8080 | flags | MAP_ALIAS);
    atomic_store(&map->late->to_program[8080], 20000 | flags | MAP_ALIAS);
    equal(map_entry_port(map_to_kernel(map, 20000)), 8080);
    equal(map_alias(map, 8080), 20000);
}

TEST("whatever is in the notes, the log has events that there are, and looking at them comes to an end")
{
    for (unsigned round = 0; round < 300; round++) {
        struct map *map = kinds[round % KINDS]();
        size_t size = map->head->discover ? sizeof *map->large_notes : sizeof *map->notes;
        assign(map, 8080, 20000, PORTMAP_BOTH);
        fill(map->notes, size);
        uint32_t next = map_log_next(map);
        for (uint32_t i = 0; i < 2 * map_log_size(map); i++)
            check(map_log_record(map, next - i).event < MAP_EVENTS, "%u",
                  map_log_record(map, next - i).event);
        for (unsigned i = 0; i < 4; i++)
            map_was_joined(map, i == 0 ? next : i == 1 ? next - 1 : any_word());
        map_log(map, MAP_EVENT_REFUSED, 4711, 8080, 20000, EACCES);
        equal(newest(map).pid, 4711);
        map_wake(map);
        map_wait(map, map_generation(map) - 1, 1000 * 2 * UNIT_SECONDS); /* at once, or the test is ended */
        map_note_bound(map, 8080);
        check(map_was_bound(map, 8080) && map_any_bound(map), "bound");
        equal(map_real(map, 8080), 20000);
        drop_map(map);
    }
}
