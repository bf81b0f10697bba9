/* Keys: lease/key.h, and what a thousand of them get from the lease table. In a network of the test's own, in
 * which every port is free. */
#include "directory.h"
#include "network.h"

#include "error.h"
#include "lease/key.h"
#include "run/leases.h"
#include "run/obtain.h"


enum { KEYS = 1000, PLACEHOLDER = 8080, FIRST = 10000, POOL = 36000 };

TEST("the numbers are those of the manual, whatever the machine")
{
    equal(key_number(0, "web", 8080, 0), 168439773);
    equal(key_number(1000, "/home/ann/shop", 3000, 0), 1082347290);
    equal(key_number(4294967294, "\xc3\xa4", 65535, 63), 2132366199);
    equal(key_number(1000, "a", 1, 1), 3294885582);
}

TEST("a number stands for a port of the pool, in ascending order")
{
    static struct portbits pool, empty;
    const unsigned ports[] = {1, 63, 64, 127, 128, 4000, 65535};
    enum { COUNT = sizeof ports / sizeof *ports };
    for (unsigned i = 0; i < COUNT; i++)
        portbits_add(&pool, ports[i]);
    for (unsigned i = 0; i < 3 * COUNT; i++)
        equal(key_port(&pool, COUNT, i), ports[i % COUNT]);
    equal(key_port(&pool, COUNT, UINT32_MAX), ports[UINT32_MAX % COUNT]);
    equal(key_port(&empty, 0, 5), 0);
    equal(portbits_nth(&pool, COUNT), 0);
}

TEST("a key is 1 to 255 bytes without control characters")
{
    char longest[KEY_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[KEY_MAX + 1] = '\0';
    equal(key_is_valid(longest), false);
    longest[KEY_MAX] = '\0';
    equal(key_is_valid(longest), true);
    equal(key_is_valid(""), false);
    equal(key_is_valid("a\nb"), false);
    equal(key_is_valid("a\x7f"), false);
    equal(key_is_valid("\t"), false);
    equal(key_is_valid(" a = #\xc3\xa4 "), true);
}

static struct home home;
static struct pool pool;

static void begin(void)
{
    enter_own_network();
    enter_new_directory();
    portbits_add_range(&pool.ports, FIRST, FIRST + POOL - 1);
    pool.count = POOL;
}

static void shuffle(unsigned *order)
{
    for (unsigned i = 0; i < KEYS; i++)
        order[i] = i;
    for (unsigned i = KEYS - 1; i > 0; i--) {
        unsigned other = below(i + 1), was = order[i];
        order[i] = order[other];
        order[other] = was;
    }
}

/* Lets the thousand keys, each of a run of its own, lease a port in a random order, in an empty home. Returns
 * how many have not got the one that they want. */
static unsigned lease_all(unsigned port[static KEYS], unsigned set, const char *name)
{
    char variable[64], key[32];
    unsigned order[KEYS], missed = 0;
    struct lease_table table;
    snprintf(variable, sizeof variable, "PORTSHIM_HOME=%s/%s", directory, name);
    equal(home_open(&home, (char *[]){variable, NULL}), 0);
    equal(leases_open(&table, &home), 0);
    shuffle(order);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned wanted;
        struct obtaining o = {.means = {.home = &home, .pool = &pool},
                              .leases = &table,
                              .want.owner = lease_run_owner(order[i] + 1)};
        snprintf(key, sizeof key, "/home/ann/%u/%u", set, order[i]);
        int error = obtain_number(&o, key_number(1000, key, PLACEHOLDER, 0), &wanted);
        check(error == 0 || error == PORTMAP_EHELD, "%d", error);
        missed += error != 0;
        int result = error == 0 ? (int)wanted : obtain_port(&o);
        check(result > 0, "%d", result);
        port[order[i]] = (unsigned)result;
    }
    lease_close(&table);
    home_close(&home);
    return missed;
}

TEST("of a thousand keys in two random orders few move")
{
    static unsigned first[KEYS], second[KEYS];
    unsigned moved = 0, set = below(1000);
    begin();
    unsigned missed = lease_all(first, set, "first"), missed_then = lease_all(second, set, "second");
    for (unsigned i = 0; i < KEYS; i++)
        moved += first[i] != second[i];
    printf("# %u and %u of %u have an ordinary port, %u have moved\n", missed, missed_then, KEYS, moved);
    /* 14 pairs of a thousand keys are expected to meet. */
    check(missed > 0 && missed < 40 && missed_then > 0 && missed_then < 40, "%u %u", missed, missed_then);
    check(moved < 60, "%u", moved);
}
