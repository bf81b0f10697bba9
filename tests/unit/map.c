/* The map of one run: run/map.h. */
#include "directory.h"
#include "maps.h"

#include "error.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

static struct pair pairs[PAIRS];

static int new_directory(void)
{
    enter_new_directory();
    return open(".", O_RDONLY | O_DIRECTORY);
}

static struct map *made(int fd)
{
    struct map *map;
    equal(map_create(&map, fd, 0x123456789abcde), 0);
    return map;
}

static int attached(struct map **map)
{
    return map_attach(map, ".");
}

TEST("what is entered is found, in whatever order")
{
    for (unsigned round = 0; round < 50; round++) {
        struct map *map = new_map();
        assign_pairs(map, pairs);
        for (unsigned i = 0; i < PAIRS; i++) {
            equal(map_real(map, pairs[i].placeholder), pairs[i].real);
            equal(map_alias(map, pairs[i].placeholder), pairs[i].alias);
            equal(map_protocols(map, pairs[i].placeholder), pairs[i].protocols);
            equal(map->start[i], pairs[i].placeholder);
        }
        map_detach(map);
    }
}

TEST("what is taken back is gone, and nothing else is")
{
    struct map *map = new_map();
    bool gone[PAIRS];
    assign_pairs(map, pairs);
    for (unsigned i = 0; i < PAIRS; i++) {
        gone[i] = below(2) == 0;
        if (gone[i])
            map_unassign(map, pairs[i].placeholder);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        equal(map_real(map, pairs[i].placeholder), gone[i] ? 0 : pairs[i].real);
        if (!gone[i])
            equal(map_alias(map, pairs[i].placeholder), pairs[i].alias);
    }
}

TEST("who joins a run finds what its maker entered, and both see what is entered later")
{
    struct map *map = made(new_directory()), *joined, *viewed;
    assign(map, 8080, 20000, PORTMAP_TCP);
    equal(attached(&joined), 0);
    equal(map_view(&viewed, "."), 0);
    equal(joined->run_id, 0x123456789abcde);
    equal(map_real(joined, 8080), 20000);
    map_note_bound(joined, 8080);
    map_assign(joined, 9090, 20001, PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT);
    check(map_was_bound(map, 8080) && map_was_bound(viewed, 8080) && !map_was_bound(map, 9090), "bound");
    equal(map_real(map, 9090), 20001);
    equal(map_real(viewed, 9090), 20001);
}

TEST("a map that ended is not joined, but looked at")
{
    struct map *map = made(new_directory()), *other;
    atomic_store(&map->ended, 1);
    equal(attached(&other), PORTMAP_EENDED);
    equal(map_view(&other, "."), 0);
}

TEST("what is no map is not opened: another length, another beginning, nothing, a link, a directory")
{
    struct map *other;
    char byte = 'x';
    int fd = new_directory();
    map_detach(made(fd));
    int file = openat(fd, "map", O_RDWR);
    check(pwrite(file, &byte, 1, 2) == 1, "%m");
    equal(attached(&other), PORTMAP_ETORN);
    check(ftruncate(file, 0) == 0 && ftruncate(file, sizeof *other) == 0, "%m");
    equal(attached(&other), -ENODATA);
    check(ftruncate(file, sizeof *other - 1) == 0, "%m");
    equal(attached(&other), PORTMAP_ETORN);
    unlinkat(fd, "map", 0);
    equal(attached(&other), -ENOENT);
    symlinkat("/dev/zero", fd, "map");
    equal(attached(&other), -ELOOP);
    unlinkat(fd, "map", 0);
    mkdirat(fd, "map", 0700);
    equal(attached(&other), -EISDIR);
}

TEST("no file is left over when a map cannot be made")
{
    struct map *map;
    int fd = new_directory();
    mkdirat(fd, "map", 0700); /* the name is taken */
    equal(map_create(&map, fd, 1), -EISDIR);
    equal(faccessat(fd, "map.new", F_OK, 0), -1);
}

TEST("as many placeholders are known at start as fit, and one more is refused")
{
    struct map *map = new_map();
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
    equal(map_list(map, 10000), PORTMAP_ETOOMANY);
    equal(atomic_load(&map->start_count), MAP_START_MAX);
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
    map_unassign(map, 40000);
    check(map_enter_alias(map, 40001, 20002, 0), "it went with its placeholder");
    assign(map, 20002, 20003, PORTMAP_BOTH);
    equal(map_real(map, 20002), 20003);
    equal(map_alias(map, 40001), 0);
}

TEST("late placeholders are for the protocols that they were listed for, and for those when they have a port")
{
    struct map *map = new_map();
    for (unsigned protocols = 1; protocols <= PORTMAP_BOTH; protocols++) {
        uint32_t entry = 0;
        list_late(map, 8080 + protocols, protocols, BY_NUMBER);
        equal(map_late_protocols(map, 8080 + protocols), protocols);
        check(map_enter_late(map, 8080 + protocols, 20000 + protocols, &entry), "%u", protocols);
        equal(map_entry_protocols(entry), protocols);
        equal(map_entry_port(entry), 20000 + protocols);
        equal(map_protocols(map, 8080 + protocols), protocols);
    }
    equal(map_protocols(map, 9090), 0);
}

TEST("the stock gives what it was given, each once, and takes no more than it has room for")
{
    struct map *map = new_map();
    bool given[MAP_STOCK] = {false};
    for (unsigned i = 0; i < MAP_STOCK; i++)
        check(map_stock_put(map, 20000 + i), "%u", i);
    check(!map_stock_put(map, 30000), "it is full");
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
    struct map *map = new_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    map_stock_put(map, 20000);
    check(map_take_late(map, 8080, &entry), "not assigned");
    uint32_t swapped = entry;
    check(map_enter_late(map, 8080, 20001, &swapped), "not swapped");
    equal(map_share_late(map, 8080), swapped);
    uint32_t old = swapped;
    check(!map_enter_late(map, 8080, 20002, &swapped), "it is shared");
    equal(map_entry_port(swapped), 20001);
    check(swapped != old, "not what is in force");
}

TEST("a port that the kernel chose is not a placeholder's where it means something in the run")
{
    struct map *map = new_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    list_late(map, 8081, PORTMAP_BOTH, BY_NUMBER);
    assign(map, 8082, 20000, PORTMAP_BOTH);
    list_late(map, 8083, PORTMAP_TCP, BY_NUMBER);
    list_late(map, 8084, PORTMAP_UDP, BY_NUMBER);
    map_stock_put(map, 20001);
    static const unsigned taken[] = {8080, 8081, 8082, 8083, 8084, 20000, 20001};
    for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++)
        check(!map_choose_late(map, 8080, taken[i], &entry) && entry == 0, "%u", taken[i]);
    check(map_choose_late(map, 8080, 20002, &entry) && (entry & MAP_CHOSEN) != 0, "20002");
}

static void *wait_for_it(void *map)
{
    struct map *of = map;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (uint32_t seen; (seen = atomic_load(&of->generation)) == 0;)
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
    while (atomic_load(&map->waiters) == 0)
        usleep(1000);
    map_wake(map);
    pthread_join(thread, &seconds);
    check((long)seconds < 40, "%ld s", (long)seconds);
    map_wait(map, 0, 1000 * 2 * UNIT_SECONDS); /* at once, or the test is ended */
}

TEST("the log keeps the newest records, and knows who joined since")
{
    struct map *map = new_map();
    map_log(map, MAP_EVENT_ATTACH, 1, 0, 0, 0);
    uint32_t from = atomic_load(&map->log_next);
    check(map_was_joined(map, from - 1) && !map_was_joined(map, from), "joined");
    map_log(map, MAP_EVENT_REFUSED, 2, 8080, 20000, EACCES);
    check(!map_was_joined(map, from), "nobody has joined");
    const struct map_record *record = &map->log[from % MAP_LOG];
    check(record->pid == 2 && record->placeholder == 8080 && record->real == 20000 && record->error == EACCES,
          "pid %d", record->pid);
    for (unsigned i = 0; i < MAP_LOG; i++)
        map_log(map, MAP_EVENT_LATE, 3, 8080, 20000, 0);
    check(map_was_joined(map, from), "so much has happened that nobody knows");
}

TEST("the texts about a run are read back in their order, and what does not fit leaves those before as they "
     "are")
{
    static char longer[MAP_ABOUT];
    struct map *map = new_map();
    char file[PATH_MAX];
    unsigned files = 0;
    check(map_about(map, MAP_ABOUT_NAME, 0) == NULL, "it has a name");
    check(map_about_add(map, MAP_ABOUT_COMMAND, ""), "no room");
    check(map_about_add(map, MAP_ABOUT_NAME, "file=not one"), "no room");
    memset(longer, 'x', sizeof longer - 1);
    check(!map_about_add(map, MAP_ABOUT_FILE, longer), "there is room");
    do
        snprintf(file, sizeof file, "/%u/%.*s", files, (int)below(3000), longer);
    while (map_about_add(map, MAP_ABOUT_FILE, file) && ++files > 0);
    check(files >= 10, "%u", files);
    equal_text(map_about(map, MAP_ABOUT_COMMAND, 0), "");
    equal_text(map_about(map, MAP_ABOUT_NAME, 0), "file=not one");
    for (unsigned i = 0; i < files; i++)
        equal(atoi(map_about(map, MAP_ABOUT_FILE, i) + 1), i);
    check(map_about(map, MAP_ABOUT_FILE, files) == NULL, "one more");
}
