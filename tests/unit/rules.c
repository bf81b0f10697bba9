/* What becomes of a socket address: rules/rules.h. */
#include "asker.h"

#include "rules/seen.h"

#include <pthread.h>

static const char *const here[] = {"127.0.0.1",        "127.9.8.7", "0.0.0.0",       "::1",
                                   "::ffff:127.0.0.1", "::",        "::ffff:0.0.0.0"};
static const char *const elsewhere[] = {"203.0.113.1", "2001:db8::1", "::ffff:203.0.113.1"};
enum { HERE = sizeof here / sizeof *here, ELSEWHERE = sizeof elsewhere / sizeof *elsewhere };

static int any_socket(unsigned protocol)
{
    return new_socket(AF_INET, protocol == PORTMAP_TCP ? SOCK_STREAM : SOCK_DGRAM);
}

TEST("a placeholder goes to its real port and comes back, of each family, for the protocols that it is for")
{
    static struct pair pairs[PAIRS];
    struct map *map = new_map();
    int fds[] = {[PORTMAP_TCP] = any_socket(PORTMAP_TCP), [PORTMAP_UDP] = any_socket(PORTMAP_UDP)};
    assign_pairs(map, pairs);
    pretend(map);
    for (unsigned i = 0; i < PAIRS; i++) {
        unsigned protocol = 1 + below(2), port = pairs[i].placeholder, real = pairs[i].real;
        bool concerned = (pairs[i].protocols & protocol) != 0;
        const char *text = here[below(HERE)];
        enum rule_use use = below(2) == 0             ? RULE_BIND
                            : protocol == PORTMAP_TCP ? RULE_CONNECT
                                                      : RULE_DATAGRAM;
        struct outbound out = ask(fds[protocol], text, port, use);
        equal(out.error, 0);
        equal(out.placeholder, concerned ? port : 0);
        check(made_with(&out, port) == (concerned ? real : port), "%u of %s", port, text);
        check(told(fds[protocol], text, real, OWNER_SELF) == (concerned ? port : real), "%u of %s", real,
              text);
        check(told(fds[protocol], text, real, OWNER_PEER) == (concerned ? port : real), "%u of %s", real,
              text);
    }
}

TEST("nothing but the port of an address changes")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    for (unsigned i = 0; i < HERE; i++) {
        union address address = address_of(here[i], 8080), expected = address_of(here[i], 20000);
        struct outbound out = ask_sized(any_socket(PORTMAP_TCP), &address, length_of(&address), RULE_BIND);
        check(memcmp(&out.to, &expected, length_of(&expected)) == 0, "%s", here[i]);
        rule_back(&view, any_socket(PORTMAP_TCP), &out.to, length_of(&address), OWNER_SELF);
        check(memcmp(&out.to, &address, length_of(&address)) == 0, "%s", here[i]);
    }
}

TEST("an address of any other length than the kernel takes is none of ours")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    for (socklen_t len = ADDRESS_HEAD; len <= sizeof(union address) + 1; len++) {
        struct outbound ipv4 = {.to = address_of("127.0.0.1", 8080), .len = len};
        struct outbound ipv6 = {.to = address_of("::1", 8080), .len = len};
        check(rule_concerns(&view, &ipv4, RULE_BIND) == (len >= 16 && len <= 128), "%u", len);
        check(rule_concerns(&view, &ipv6, RULE_BIND) == (len >= 24 && len <= 128), "%u", len);
        union address back = address_of("::1", 20000);
        rule_back(&view, any_socket(PORTMAP_TCP), &back, len, OWNER_SELF);
        check(address_port(&back) == (len >= 24 && len <= 128 ? 8080 : 20000), "%u", len);
    }
}

TEST("where the kernel has written no address nothing is looked at")
{
    pretend(new_map());
    rule_back(&view, any_socket(PORTMAP_TCP), NULL, 0, OWNER_PEER);
}

TEST("no family is IPv4 for bind and datagrams, and disconnects; a family without ports is none of ours")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    struct outbound out = {.to = address_of("0.0.0.0", 8080), .len = ADDRESS_IPV4};
    out.to.any.sa_family = AF_UNSPEC;
    check(rule_concerns(&view, &out, RULE_BIND) && rule_concerns(&view, &out, RULE_DATAGRAM), "it is not");
    check(!rule_concerns(&view, &out, RULE_CONNECT), "a port to connect to");
    out.to.any.sa_family = AF_UNIX;
    check(!rule_concerns(&view, &out, RULE_BIND) && !rule_concerns(&view, &out, RULE_DATAGRAM), "AF_UNIX");
}

TEST("the same port of another host is not touched, neither as a destination nor as a peer's")
{
    struct map *map = new_map();
    int fd = any_socket(PORTMAP_UDP);
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    for (unsigned i = 0; i < ELSEWHERE; i++) {
        equal(ask(fd, elsewhere[i], 8080, RULE_CONNECT).placeholder, 0);
        equal(ask(fd, elsewhere[i], 8080, RULE_DATAGRAM).placeholder, 0);
        equal(told(fd, elsewhere[i], 20000, OWNER_PEER), 20000);
        /* To bind it is not to reach it: the kernel says what is wrong with the address. */
        equal(ask(fd, elsewhere[i], 8080, RULE_BIND).placeholder, 8080);
        equal(told(fd, elsewhere[i], 20000, OWNER_SELF), 8080);
    }
}

TEST("a socket of another kind is not rewritten once the process may have some")
{
    struct map *map = new_map();
    int fd = new_socket(AF_UNIX, SOCK_STREAM);
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    atomic_store(&view.mixed, true);
    equal(ask(fd, "127.0.0.1", 8080, RULE_BIND).placeholder, 0);
    equal(told(fd, "127.0.0.1", 20000, OWNER_SELF), 20000);
    equal(ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND).placeholder, 8080);
}

TEST("a socket that the kernel put on a placeholder's number goes by its alias")
{
    struct map *map = new_map();
    int fd = any_socket(PORTMAP_TCP);
    assign(map, EPHEMERAL_FIRST, 20000, PORTMAP_TCP);
    check(map_enter_alias(map, EPHEMERAL_FIRST, 20001, 0), "it is taken");
    pretend(map);
    equal(told(fd, "::1", EPHEMERAL_FIRST, OWNER_SELF), 20001);
    struct outbound out = ask(fd, "::1", 20001, RULE_CONNECT);
    equal(made_with(&out, 20001), EPHEMERAL_FIRST);
    out = ask(fd, "::1", EPHEMERAL_FIRST, RULE_CONNECT);
    equal(made_with(&out, EPHEMERAL_FIRST), 20000);
}

TEST("a late placeholder gets a port of the stock when it is bound, and keeps it")
{
    struct map *map = new_late_map();
    int fd = any_socket(PORTMAP_TCP);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    put_in_stock(map, 20000);
    pretend(map);
    struct outbound out = ask(fd, "127.0.0.1", 8080, RULE_BIND);
    check(out.fresh && out.error == 0, "error %d", out.error);
    equal(made_with(&out, 8080), 20000);
    equal(newest(map).event, MAP_EVENT_LATE);
    equal(newest(map).pid, 4711);
    equal(told(fd, "::1", 20000, OWNER_SELF), 8080);
    out = ask(fd, "::1", 8080, RULE_BIND);
    check(!out.fresh, "once more");
    equal(made_with(&out, 8080), 20000);
}

TEST("where the stock is empty a port is leased, and where none can be had the call says so")
{
    struct map *map = new_late_map();
    int fd = any_socket(PORTMAP_TCP);
    for (unsigned port = 8080; port < 8084; port++)
        list_late(map, port, PORTMAP_BOTH, BY_NUMBER);
    pretend(map);
    leased = 20010;
    struct outbound out = ask(fd, "127.0.0.1", 8080, RULE_BIND);
    equal(made_with(&out, 8080), 20010);
    out = ask(fd, "127.0.0.1", 8081, RULE_CONNECT);
    equal(made_with(&out, 8081), 20011);
    leased = 0;
    equal(ask(fd, "127.0.0.1", 8082, RULE_BIND).error, EADDRINUSE);
    equal(newest(map).event, MAP_EVENT_EMPTY);
    equal(ask(fd, "127.0.0.1", 8082, RULE_CONNECT).error, ECONNREFUSED);
    without_lease = REFILL_OUT_OF_REACH;
    out = ask(fd, "127.0.0.1", 8083, RULE_BIND);
    check(out.error == 0 && out.out_of_reach && out.placeholder == 8083, "error %d", out.error);
    out = ask(fd, "127.0.0.1", 8083, RULE_CONNECT);
    equal(out.error, ECONNREFUSED);
}

TEST("one of `all` that nobody has bound is not asked for, nor leased for a destination")
{
    struct map *map = new_late_map();
    list_late(map, 8080, PORTMAP_BOTH, BY_ALL);
    put_in_stock(map, 20000);
    pretend(map);
    equal(ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_CONNECT).placeholder, 0);
    equal(map_real(map, 8080), 0);
}

TEST("a port that a stranger has is swapped for another one, as long as nobody was told of it")
{
    struct map *map = new_late_map();
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    put_in_stock(map, 20000);
    put_in_stock(map, 20001);
    pretend(map);
    struct outbound first = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND);
    equal(made_with(&first, 8080), 20000);
    check(rule_retry(&view, &first), "no other");
    equal(made_with(&first, 8080), 20001);
    equal(newest(map).event, MAP_EVENT_SWAP);
    equal(told(any_socket(PORTMAP_TCP), "::1", 20000, OWNER_SELF), 20000);

    struct outbound second = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND);
    leased = 20002;
    check(!rule_retry(&view, &second), "who did not assign it");
    check(!rule_retry(&view, &first), "it is shared by now");
    equal(map_real(map, 8080), 20001);
}

TEST("swapping comes to an end, and a port that was known at start is never swapped")
{
    struct map *map = new_late_map();
    unsigned swaps = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    assign(map, 9090, 30000, PORTMAP_BOTH);
    pretend(map);
    leased = 20000;
    struct outbound out = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND);
    while (swaps < 1000 && rule_retry(&view, &out))
        swaps++;
    check(swaps >= MAP_STOCK && swaps < 1000, "%u", swaps);
    equal(made_with(&out, 8080), 20000 + swaps);
    out = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 9090, RULE_BIND);
    check(!rule_retry(&view, &out), "9090");
}

TEST("where no other port can be had the one that a stranger has stays")
{
    struct map *map = new_late_map();
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    put_in_stock(map, 20000);
    pretend(map);
    struct outbound out = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND);
    check(!rule_retry(&view, &out), "there is another");
    equal(map_real(map, 8080), 20000);
}

TEST("what came of a bind is noted or logged")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    pretend(map);
    struct outbound out = ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_BIND);
    rule_bound(&view, &out, EACCES);
    check(!map_was_bound(map, 8080), "it failed");
    equal(newest(map).event, MAP_EVENT_REFUSED);
    equal(newest(map).error, EACCES);
    equal(newest(map).real, 20000);
    rule_bound(&view, &out, 0);
    check(map_was_bound(map, 8080), "it did not");
}

TEST("a port that is named without a socket has the real port of its protocol, a late one from now on")
{
    struct map *map = new_late_map();
    assign(map, 8080, 20000, PORTMAP_TCP);
    list_late(map, 8081, PORTMAP_TCP, BY_NUMBER);
    list_late(map, 8082, PORTMAP_TCP, BY_ALL);
    list_late(map, 8083, PORTMAP_UDP, BY_NUMBER);
    pretend(map);
    leased = 20001;
    equal(rule_port(&view, 8080, PORTMAP_TCP, VIEW_BIND), 20000);
    equal(rule_port(&view, 8080, PORTMAP_UDP, VIEW_BIND), 0);
    equal(rule_port(&view, 8081, PORTMAP_TCP, VIEW_REACH), 20001);
    equal(map_real(map, 8081), 20001);
    equal(rule_port(&view, 8082, PORTMAP_TCP, VIEW_REACH), 0);
    equal(rule_port(&view, 8082, PORTMAP_TCP, VIEW_BIND), 20002);
    equal(rule_port(&view, 8083, PORTMAP_TCP, VIEW_BIND), 0);
    equal(rule_port(&view, 9090, PORTMAP_TCP, VIEW_BIND), 0);
}

TEST("while fixed ports are discovered, each destination is for the rules, and none is changed")
{
    struct map *map = new_discovering_map();
    pretend(map);
    equal(ask(any_socket(PORTMAP_TCP), "127.0.0.1", 8080, RULE_CONNECT).placeholder, 0);
    struct sighting seen = sighting_get(map, 0);
    check(seen.kind == SIGHTING_CONNECT && seen.port == 8080 && seen.protocols == PORTMAP_TCP, "%d, %u",
          seen.kind, seen.port);
    struct outbound out = {.to = address_of("127.0.0.1", 8080), .len = ADDRESS_IPV4};
    check(!rule_concerns(&view, &out, RULE_BIND), "a bind is seen when it is done");
}

TEST("under a filter of the program nothing is asked of the kernel, and each socket matches")
{
    struct map *map = new_late_map();
    assign(map, 53, 20000, PORTMAP_UDP);
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    pretend(map);
    leased = 20001;
    atomic_store(&view.filters, 1);
    equal(ask(-1, "127.0.0.1", 53, RULE_BIND).placeholder, 53);
    equal(ask(-1, "127.0.0.1", 53, RULE_CONNECT).placeholder, 53);
    equal(ask(-1, "127.0.0.1", 8080, RULE_BIND).error, EADDRINUSE); /* nothing is leased */
}

static atomic_bool spoiling, spoiled_enough;

/* Writes and removes what a process of the run can have written to the late tables. */
static void *spoil(void *context)
{
    struct map *map = context;
    uint32_t good = atomic_load(&map->late->to_kernel[8080]);
    while (!atomic_load(&spoiled_enough)) {
        atomic_store(&spoiling, true);
        atomic_store(&map->late->to_kernel[8080], 0xffffffff);
        atomic_store(&map->late->to_kernel[8080], good);
        atomic_store(&map->late->to_kernel[8080], 0);
        atomic_store(&map->late->to_kernel[8080], good);
    }
    return NULL;
}

TEST("while another process spoils the entry of a late placeholder, a call is made with its port or refused")
{
    struct map *map = new_late_map();
    pthread_t thread;
    int fd = any_socket(PORTMAP_TCP);
    uint32_t entry = 0;
    unsigned refused = 0, made = 0;
    list_late(map, 8080, PORTMAP_TCP, BY_NUMBER);
    check(enter_leased(map, 8080, 20000, &entry), "not assigned");
    pretend(map);
    check(pthread_create(&thread, NULL, spoil, map) == 0, "no thread");
    while (!atomic_load(&spoiling))
        usleep(1000);
    for (unsigned i = 0; i < 1000000; i++) {
        struct outbound out = ask(fd, "127.0.0.1", 8080, i % 2 == 0 ? RULE_BIND : RULE_CONNECT);
        refused += out.error != 0;
        made += out.error == 0;
        if (out.error == 0)
            equal(made_with(&out, 8080), 20000);
        else
            equal(out.error, i % 2 == 0 ? EADDRINUSE : ECONNREFUSED);
    }
    atomic_store(&spoiled_enough, true);
    pthread_join(thread, NULL);
    check(made > 0, "all %u were refused", refused);
}
