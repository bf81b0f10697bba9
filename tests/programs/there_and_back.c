/*
 * For any specification and any pool: what the program calls port P is one port of the kernel, which comes back as P,
 * and vice versa.
 *
 *     there_and_back SEED ROUNDS
 *
 * makes ROUNDS runs, or more until each of what it counts has happened, of random specifications and pools in PORTSHIM_HOME, through the interfaces that `portshim run` and
 * the library use. It adds placeholders, nests runs and assigns late placeholders from several threads. It checks each
 * run in its map, as a process of the run sees it (rules/view.h), and as a process sees it that cannot open the map
 * (run/compact.h). There are few numbers, a third of them ephemeral, so that one is often a placeholder, a given real
 * port, a port of the pool and an alias at once.
 */
#include "run/compact.h"
#include "error.h"
#include "lease/table.h"
#include "run/leases.h"
#include "run/run.h"
#include "run/add.h"
#include "run/late.h"
#include "run/texts.h"
#include "base/text.h"
#include "rules/view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { NUMBERS = 240, THREADS = 4, LATE_BINDS = 20 };

static struct home home;
static struct view view;
/* What the process of the view has mapped: the same files, of which it has copied a part. */
static struct map joined[2];
static char what[16384]; /* what is being tested, for the message */
static unsigned first_ephemeral;
static struct {
    unsigned runs, refused, added, nested, late, aliases, given, beyond;
} done;

#define check(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s\nnot true: %s: ", what, #condition);                                                   \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fprintf(stderr, "\n");                                                                                     \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static unsigned below(unsigned n)
{
    return (unsigned)rand() % n;
}

/* A random port: one of the last below the ephemeral range (two thirds) or of the first in it. */
static unsigned number(void)
{
    return first_ephemeral - 2 * NUMBERS / 3 + below(NUMBERS);
}

static void add_word(struct text *t)
{
    static const char *const protocols[] = {"", "", "", "/tcp", "/udp"};
    unsigned port = number();
    if (t->used > 0)
        text_char(t, ',');
    if (below(8) == 0)
        text_char(t, '!');
    text_uint(t, port);
    switch (below(6)) {
    case 0:
        text_char(t, '-');
        text_uint(t, port + below(20));
        break;
    case 1:
    case 2:
        if (t->at[t->used - 1] != '!') {
            text_char(t, '=');
            text_uint(t, number());
        }
        break;
    default:
        text_str(t, protocols[below(5)]);
    }
}

/* Invents a valid specification, as a text and as a set. */
static void invent_ports(struct portset *set, char *text, size_t size)
{
    struct problem problem;
    do {
        struct text t = text_in(text, size);
        memset(set, 0, sizeof *set);
        for (unsigned words = 1 + below(12); words > 0; words--)
            add_word(&t);
        if (below(3) == 0)
            text_str(&t, ",all");
        else if (below(6) == 0)
            text_str(&t, ",2000-2999");
    } while (portset_add(set, text, &problem) != 0 || portset_is_empty(set));
    done.beyond += portset_count(set) > PORTSET_START;
}

static void invent_pool(struct pool *pool, const char *more)
{
    struct problem problem;
    char text[4096];
    struct text t = text_in(text, sizeof text);
    for (unsigned ports = 60 + below(180); ports > 0; ports--) {
        text_str(&t, t.used > 0 ? "," : "");
        text_uint(&t, number());
    }
    text_str(&t, more);
    check(pool_parse(pool, text, "test", &problem) == 0, "%s", text);
}

/* Checks that every number has one meaning on either side. */
static void check_tables(const char *whose, uint32_t (*to_kernel)(unsigned), uint32_t (*to_program)(unsigned))
{
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        uint32_t there = to_kernel(port), back = there != 0 ? to_program(map_entry_port(there)) : 0;
        if (there != 0)
            check(map_entry_port(back) == port, "%s: %u goes to %u, which comes back as %u", whose, port,
                  map_entry_port(there), map_entry_port(back));
        back = to_program(port);
        there = back != 0 ? to_kernel(map_entry_port(back)) : 0;
        if (back != 0)
            check(map_entry_port(there) == port, "%s: the kernel's %u is called %u, which goes to %u", whose, port,
                  map_entry_port(back), map_entry_port(there));
    }
}

static const struct map *looked_at;

/* Where placeholders were added to the run that is checked, the pool that they were leased from. */
static const struct pool *added_from;

/* Whether a placeholder that was added could have an alias: a number of the pool that is free, and none of the run's. */
static bool can_have_alias(const struct map *map, struct lease_table *leases)
{
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (portbits_has(&added_from->ports, port) && lease_holder(leases, port) == 0 && map_to_kernel(map, port) == 0 &&
            map_late_protocols(map, port) == 0)
            return true;
    return false;
}

static uint32_t map_there(unsigned port)
{
    return map_to_kernel(looked_at, port);
}

static uint32_t map_back(unsigned port)
{
    return map_to_program(looked_at, port);
}

static uint32_t view_there(unsigned port)
{
    return view_to_kernel(&view, port, VIEW_REACH).entry;
}

static uint32_t view_back(unsigned port)
{
    return view_to_program(&view, port);
}

static void check_leases(const struct map *map)
{
    struct lease_table leases;
    check(lease_open_existing(&leases, &home) == 0, "the lease table");
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        uint32_t entry = map_to_kernel(map, port);
        if (entry == 0)
            continue;
        unsigned leased = entry & MAP_ALIAS ? port : map_entry_port(entry);
        done.aliases += (entry & MAP_ALIAS) != 0;
        if (!(entry & (MAP_INHERITED)))
            check(lease_holder(&leases, leased) == lease_run_owner(map->head->run_id), "%u is not leased", leased);
        if ((entry & (MAP_ALIAS | MAP_LATE)) == 0 && map_is_ephemeral(map, port) && !view_is_real_around(&view, &joined[0], port))
            check(map_back(port) != 0 || (added_from != NULL && !can_have_alias(map, &leases)),
                  "%u is ephemeral and has no alias", port);
    }
    lease_close(&leases);
}

/* Makes the view of a process that attaches to the run now. */
static void join(struct map *map, struct map *outer)
{
    memset(&view, 0, sizeof view);
    joined[0] = *map;
    check(view_add_map(&view, &joined[0]), "the view is full");
    if (outer != NULL)
        joined[1] = *outer;
    check(outer == NULL || view_add_map(&view, &joined[1]), "the view is full");
}

/* Checks the views of processes that can, and cannot, open the map. */
static void check_processes(struct map *map, struct map *outer)
{
    static char text[COMPACT_SIZE];
    check_tables("a process", view_there, view_back);
    check(compact_write(map, texts_get(map, TEXT_SECRET, 0), &(struct compact_trap){0}, text, sizeof text), "too long");
    memset(&view, 0, sizeof view);
    check(compact_read(text, view_assign, &view), "%s", text);
    check_tables("a process without the map", view_there, view_back);
    for (uint32_t i = 0; i < map_start_count(map); i++) {
        struct map_pair pair = map_start(map, i);
        check(map_entry_port(view.to_kernel[pair.placeholder]) == pair.real, "%u in %s", pair.placeholder, text);
    }
    join(map, outer);
}

static void check_run(struct map *map, struct map *outer)
{
    looked_at = map;
    join(map, outer);
    check_tables("the map", map_there, map_back);
    check_leases(map);
    check_processes(map, outer);
}

/* Checks which placeholders are assigned at start, and to which ports. */
static void check_start(const struct map *map, const struct portset *set, struct pool *pool)
{
    unsigned listed = 0, own = 0;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        uint32_t entry = map_to_kernel(map, port);
        unsigned real = map_real(map, port), given = portset_fixed(set, port), late = map_late_protocols(map, port);
        bool is_own = real != 0 && !(entry & MAP_INHERITED);
        listed += portset_listed(set, port) != 0;
        own += is_own;
        if (portset_listed(set, port) != 0)
            check((real != 0) != (late != 0), "%u is %s", port, real != 0 ? "both at start and late" : "forgotten");
        if (is_own && given != 0)
            check(real == given, "%u is to be %u", port, given);
        if (is_own && given == 0)
            check(portbits_has(&pool->ports, real) && (map_real(map, real) == 0 || map_entry_port(entry) == port),
                  "%u, of %u, is a placeholder or not in the pool", real, port);
        done.given += is_own && given != 0;
    }
    check(own == (listed < PORTSET_START ? listed : PORTSET_START), "%u of %u", own, listed);
}

struct binding {
    struct run *run;
    struct pool *pool;
    unsigned seed;
};

/* Does what bind(2) of a late placeholder does, sometimes as if a stranger had taken the real port. */
static void *bind_late(void *context)
{
    struct binding *binding = context;
    struct map *map = &joined[0]; /* the run is leased for by its owner's means, as the library does */
    const struct means means = {.home = &home, .pool = binding->pool};
    for (unsigned i = 0; i < LATE_BINDS; i++) {
        unsigned port = first_ephemeral - 2 * NUMBERS / 3 + (unsigned)rand_r(&binding->seed) % NUMBERS;
        uint32_t entry = map_to_kernel(map, port);
        bool swap = (entry & (MAP_LATE | MAP_USED | MAP_ALIAS)) == MAP_LATE && rand_r(&binding->seed) % 8 == 0;
        if (map_late_protocols(map, port) == 0 || (entry != 0 && !swap))
            continue;
        if (!map_take_late(map, port, &entry))
            run_assign_late(binding->run, &means, port, &entry);
        if (!view_is_real_around(&view, map, port))
            map_alias_late(map, port);
        __atomic_fetch_add(&done.late, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void bind_from_threads(struct run *run, struct pool *pool)
{
    pthread_t threads[THREADS];
    struct binding bindings[THREADS];
    if (run->map->late == NULL)
        return;
    for (unsigned i = 0; i < THREADS; i++) {
        bindings[i] = (struct binding){run, pool, below(RAND_MAX)};
        check(pthread_create(&threads[i], NULL, bind_late, &bindings[i]) == 0, "no thread");
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* False when there is nothing to check: a given real port is taken, or the pool is too small. */
static bool create(struct run *run, struct portset *set, struct pool *pool, const char *outer)
{
    static char text[8192];
    struct run_problem problem;
    const struct means means = {.home = &home, .pool = pool};
    const struct run_wish wish = {.ports = set, .outer = outer};
    added_from = NULL;
    invent_ports(set, text, sizeof text);
    invent_pool(pool, portset_count(set) > 200 ? ",20000-21100" : below(4) == 0 ? "" : ",20000-20099");
    strncat(what, "\n  run -p ", sizeof what - strlen(what) - 1);
    strncat(what, text, sizeof what - strlen(what) - 1);
    int error = run_create(run, &means, &wish, &problem);
    if (error == 0) {
        check_start(run->map, set, pool);
        done.runs++;
    } else {
        check(error == PORTMAP_EXHAUSTED || error == PORTMAP_EHELD, "step %d, %u, %u: %s", problem.step,
              problem.placeholder, problem.real, portmap_strerror(error));
        done.refused++;
    }
    return error == 0;
}

static void add(struct run *run)
{
    static struct portset set;
    static struct pool pool;
    char text[8192];
    struct run_problem problem;
    const struct means means = {.home = &home, .pool = &pool};
    invent_ports(&set, text, sizeof text);
    invent_pool(&pool, ",20000-21100");
    strncat(what, "\n  run -j -p ", sizeof what - strlen(what) - 1);
    strncat(what, text, sizeof what - strlen(what) - 1);
    done.added += run_add(run, &means, &set, &problem) == 0;
    added_from = &pool;
}

static void try_one(void)
{
    static struct run outer, inner;
    static struct portset set;
    struct pool pool;
    if (!create(&outer, &set, &pool, NULL))
        return;
    check_run(outer.map, NULL);
    bind_from_threads(&outer, &pool);
    check_run(outer.map, NULL);
    if (below(2) == 0) {
        add(&outer);
        check_run(outer.map, NULL);
        bind_from_threads(&outer, &pool);
        check_run(outer.map, NULL);
    }
    if (below(2) == 0 && create(&inner, &set, &pool, outer.path)) {
        done.nested++;
        check_run(inner.map, outer.map);
        bind_from_threads(&inner, &pool);
        add(&inner);
        check_run(inner.map, outer.map);
        run_discard(&inner, &home);
    }
    run_discard(&outer, &home);
}

static bool all_have_happened(void)
{
    return done.runs >= 10 && done.added > 0 && done.nested > 0 && done.late > 0 && done.aliases >= 10 && done.given > 0 &&
           done.beyond > 0;
}

int main(int argc, char **argv)
{
    struct lease_table leases;
    unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : 1, rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    first_ephemeral = pool_ephemeral_range().first;
    check(home_open(&home, environ) == 0 && leases_open(&leases, &home) == 0, "the home");
    for (unsigned i = 0; i < rounds || (!all_have_happened() && i < 100 * rounds); i++) {
        snprintf(what, sizeof what, "there_and_back %u 1:", seed + i);
        srand(seed + i);
        try_one();
    }
    printf("%u runs, %u refused, %u added to, %u nested, %u late binds, %u aliases, %u given, %u beyond the first\n",
           done.runs, done.refused, done.added, done.nested, done.late, done.aliases, done.given, done.beyond);
    return 0;
}
