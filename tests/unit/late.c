/* Late placeholders: rules/late.h, and rules/choose.h for those whose port the kernel has to choose. */
#include "asker.h"
#include "network.h"

#include "lease/pool.h"
#include "rules/choose.h"
#include "rules/late.h"

#include <pthread.h>

static unsigned port_of(int fd)
{
    union address name;
    socklen_t len = sizeof name;
    check(getsockname(fd, &name.any, &len) == 0, "%m");
    return address_port(&name);
}

/* The map says what the kernel's range really is. */
static void set_real_range(struct map *map)
{
    struct ephemeral_range range = pool_ephemeral_range();
    set_ephemeral(map, range.first, range.last);
}

/* A socket on a port of the kernel's choice. */
static int bound_by_kernel(int type, struct map *map)
{
    union address any = address_of("0.0.0.0", 0);
    int fd = new_socket(AF_INET, type);
    set_real_range(map);
    check(bind(fd, &any.any, ADDRESS_IPV4) == 0, "%m");
    return fd;
}

TEST("each of the stock's ports becomes one placeholder's, and no other")
{
    struct map *map = new_late_map();
    pretend(map);
    for (unsigned i = 0; i < MAP_STOCK; i++)
        check(put_in_stock(map, 20000 + i), "full");
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        uint32_t entry = 0;
        list_late(map, 8080 + i, PORTMAP_BOTH, BY_ALL);
        equal(late_assign(&view, map, 8080 + i, &entry), REFILL_ASSIGNED);
        equal(entry, view_to_kernel(&view, 8080 + i, VIEW_REACH).entry);
        equal(map_entry_port(view_to_program(&view, map_entry_port(entry))), 8080 + i);
    }
    uint32_t entry = 0;
    list_late(map, 9090, PORTMAP_BOTH, BY_ALL);
    equal(late_assign(&view, map, 9090, &entry), REFILL_NONE);
    equal(entry, 0);
}

TEST("who comes second is told what the first one assigned")
{
    struct map *map = new_late_map();
    uint32_t entry = 0, late = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    pretend(map);
    leased = 20000;
    equal(late_assign(&view, map, 8080, &entry), REFILL_ASSIGNED);
    equal(late_assign(&view, map, 8080, &late), REFILL_STANDS);
    equal(late, entry);
}

enum { THREADS = 4, LATE = 12 };

static void *assign_all(void *map)
{
    for (unsigned i = 0; i < LATE; i++) {
        uint32_t entry = 0;
        late_assign(&view, map, 8080 + i, &entry);
    }
    return NULL;
}

TEST("of several threads that assign at once, each placeholder gets one port, and no port is given twice")
{
    for (unsigned round = 0; round < 30; round++) {
        struct map *map = new_late_map();
        pthread_t threads[THREADS];
        pretend(map);
        for (unsigned i = 0; i < LATE; i++)
            list_late(map, 8080 + i, PORTMAP_BOTH, BY_ALL);
        for (unsigned i = 0; i < MAP_STOCK; i++)
            put_in_stock(map, 20000 + i);
        for (unsigned i = 0; i < THREADS; i++)
            check(pthread_create(&threads[i], NULL, assign_all, map) == 0, "no thread");
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (unsigned i = 0; i < LATE; i++) {
            unsigned real = map_real(map, 8080 + i);
            check(real != 0, "%u has none", 8080 + i);
            equal(map_entry_port(view_to_program(&view, real)), 8080 + i);
        }
        drop_map(map);
    }
}

TEST("an ephemeral placeholder gets an alias as well, unless its number is a real port of a run around")
{
    struct map *map = new_late_map(), *outer = new_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    list_late(map, EPHEMERAL_FIRST, PORTMAP_BOTH, BY_ALL);
    list_late(map, EPHEMERAL_LAST, PORTMAP_BOTH, BY_ALL);
    assign(outer, 9090, EPHEMERAL_LAST, PORTMAP_BOTH);
    for (unsigned i = 0; i < MAP_STOCK; i++)
        put_in_stock(map, 20000 + i);
    pretend(map);
    view_add_map(&view, outer);
    equal(late_assign(&view, map, 8080, &entry), REFILL_ASSIGNED);
    equal(late_assign(&view, map, EPHEMERAL_FIRST, (entry = 0, &entry)), REFILL_ASSIGNED);
    equal(late_assign(&view, map, EPHEMERAL_LAST, (entry = 0, &entry)), REFILL_ASSIGNED);
    equal(map_alias(map, 8080), 0);
    check(map_alias(map, EPHEMERAL_FIRST) != 0, "it has none");
    equal(map_alias(map, EPHEMERAL_LAST), 0);
}

TEST("a number that the kernel gave to a socket is not rewritten while the socket is there")
{
    enter_own_network(); /* on this host's, another socket may get the number, or have it for UDP */
    struct map *map = new_late_map();
    int first = bound_by_kernel(SOCK_STREAM, map), second = new_socket(AF_INET, SOCK_DGRAM);
    unsigned given = port_of(first);
    list_late(map, given, PORTMAP_BOTH, BY_ALL);
    pretend(map);
    leased = 20000;
    check(!late_is_held(&view, map, given), "nobody was told of it");
    equal(told(first, "127.0.0.1", given, OWNER_SELF), given);
    check(late_is_held(&view, map, given), "the program was told");
    equal(ask(second, "127.0.0.1", given, RULE_BIND).placeholder, 0);
    equal(map_real(map, given), 0);
    close(first);
    check(!late_is_held(&view, map, given), "the socket is gone");
    struct outbound out = ask(second, "127.0.0.1", given, RULE_BIND);
    equal(made_with(&out, given), 20000);
}

TEST("a peer's number is not noted as given, nor one that is no placeholder, nor one of another protocol")
{
    struct map *map = new_late_map();
    int fd = bound_by_kernel(SOCK_STREAM, map);
    unsigned given = port_of(fd);
    pretend(map);
    told(fd, "127.0.0.1", given, OWNER_SELF);
    check(!late_is_held(&view, map, given), "it is no placeholder");
    list_late(map, given, PORTMAP_UDP, BY_ALL);
    told(fd, "127.0.0.1", given, OWNER_SELF);
    check(!late_is_held(&view, map, given), "it is one of UDP");
    list_late(map, given, PORTMAP_TCP, BY_ALL);
    told(fd, "127.0.0.1", given, OWNER_PEER);
    check(!late_is_held(&view, map, given), "it is a peer's");
    set_ephemeral(map, given + 1, 65535);
    told(fd, "127.0.0.1", given, OWNER_SELF);
    check(!late_is_held(&view, map, given), "the kernel gives no such number by itself");
    set_ephemeral(map, given, 65535);
    told(fd, "127.0.0.1", given, OWNER_SELF);
    check(late_is_held(&view, map, given), "now it is");
}

TEST("where nothing can be leased the kernel chooses, and the port is the placeholder's from then on")
{
    struct map *map = new_late_map();
    set_real_range(map);
    int fd = new_socket(AF_INET, SOCK_STREAM);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    pretend(map);
    without_lease = REFILL_OUT_OF_REACH;
    struct outbound out = ask(fd, "127.0.0.1", 8080, RULE_BIND);
    check(out.out_of_reach, "it can be leased");
    equal(choose_and_bind(&view, &out, fd), 0);
    unsigned real = port_of(fd);
    equal(map_real(map, 8080), real);
    check((view_to_kernel(&view, 8080, VIEW_REACH).entry & MAP_CHOSEN) != 0, "not said");
    equal(told(fd, "127.0.0.1", real, OWNER_SELF), 8080);
    equal(newest(map).event, MAP_EVENT_LATE);
    out = ask(new_socket(AF_INET, SOCK_STREAM), "127.0.0.1", 8080, RULE_CONNECT);
    equal(made_with(&out, 8080), real);
}

TEST("it chooses also when there is no descriptor left to choose with")
{
    struct map *map = new_late_map();
    set_real_range(map);
    int fd = new_socket(AF_INET, SOCK_STREAM);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    pretend(map);
    without_lease = REFILL_OUT_OF_REACH;
    struct outbound out = ask(fd, "127.0.0.1", 8080, RULE_BIND);
    use_up_descriptors();
    equal(choose_and_bind(&view, &out, fd), 0);
    equal(map_real(map, 8080), port_of(fd));
}

TEST("a port that the kernel does not choose by itself in the run's network is not believed to be chosen")
{
    struct map *map = new_late_map();
    int fd = new_socket(AF_INET, SOCK_STREAM);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    set_ephemeral(map, 1024, 1024); /* nothing is said to be chosen: as after a change of the range */
    pretend(map);
    without_lease = REFILL_OUT_OF_REACH;
    struct outbound out = ask(fd, "127.0.0.1", 8080, RULE_BIND);
    equal(choose_and_bind(&view, &out, fd), -EADDRINUSE);
    equal(map_real(map, 8080), 0);
    check(view_to_program(&view, port_of(fd)) == 0, "half of it is entered");
}
