#include "run.h"

#include "error.h"
#include "lease.h"
#include "leases.h"
#include "lock.h"
#include "name.h"
#include "process.h"
#include "publish.h"
#include "rundir.h"
#include "sweep.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What is to be put into a run's stock at once is waited for so long, unless its taker was killed. A port
 * that went from one place to another while both were looked at is found by another look. */
enum { ON_THEIR_WAY_LOOKS = 50, ON_THEIR_WAY_NANOSECONDS = 50000000, VAIN_LOOKS = 3 };

/* Leased for a placeholder that is not in the map yet; for the stock where that is 0. */
struct addition {
    uint16_t placeholder, real, alias, protocols;
};

/* Everything that is needed to give a run its ports. */
struct assigning {
    const struct portset *ports; /* to be assigned */
    struct map *map;
    /* What waits for the whole to be there, as others look into the map already; or NULL. */
    struct addition *added;
    unsigned added_count;
    struct lease_table leases;
    struct pool pool;      /* the means', less the run's own placeholders */
    struct portbits avoid; /* those */
    struct portbits first; /* the placeholders that are assigned at once */
    struct map *outer;     /* of the run around this one, or NULL */
    struct obtaining obtaining;
    struct run_problem *problem;
};

/* Whether a number means something else to this run already, seen from the kernel's side. */
static bool is_in_use_here(const struct map *map, unsigned port)
{
    return atomic_load(&map->to_program[port]) != 0 || (atomic_load(&map->to_kernel[port]) & MAP_ALIAS) != 0;
}

static bool is_in_stock(const struct map *map, unsigned port)
{
    bool found = false;
    for (unsigned i = 0; i < MAP_STOCK; i++)
        found = found || atomic_load(&map->stock[i]) == port;
    return found;
}

static bool enter_claims(struct lease_table *fresh, void *context)
{
    const struct assigning *a = context;
    const struct home *home = a->obtaining.means.home;
    lease_owner owner = a->obtaining.want.owner;
    char directory[RUNDIR_NAME_SIZE];
    rundir_name(directory, a->map->run_id);
    /* A run whose directory went with the table is nobody's to find. */
    bool all = home_is_in_place(home) && faccessat(home->fd, directory, F_OK, 0) == 0 &&
               leases_enter_run(fresh, a->map);
    for (unsigned i = 0; i < a->added_count; i++) {
        all = leases_enter(fresh, a->added[i].real, owner) && all;
        all = (a->added[i].alias == 0 || leases_enter(fresh, a->added[i].alias, owner)) && all;
    }
    return all;
}

/* 0 when the run's claims, those in the map and those to be added, stand. */
static int settle(struct assigning *a)
{
    const struct claims claims = {.enter = enter_claims, .context = a};
    int error = leases_settle(&a->leases, a->obtaining.means.home, &claims);
    if (error != 0)
        a->problem->step = RUN_STEP_TABLE;
    return error;
}

static void give_back(struct assigning *a, unsigned port)
{
    if (port != 0)
        lease_release(&a->leases, port, a->obtaining.want.owner);
}

/* The real port of a placeholder: the given one, or any. */
static int find_real(struct assigning *a, unsigned placeholder)
{
    unsigned fixed = portset_fixed(a->ports, placeholder);
    a->problem->step = RUN_STEP_PORT;
    a->problem->placeholder = placeholder;
    a->problem->real = fixed;
    if (fixed == 0)
        return obtain_port(&a->obtaining);
    if (is_in_use_here(a->map, fixed) || is_in_stock(a->map, fixed))
        return PORTMAP_EHELD;
    int error = obtain_given(&a->obtaining, fixed);
    return error != 0 ? error : (int)fixed;
}

static int enter_addition(struct map *map, const struct addition *added)
{
    map_assign(map, added->placeholder, added->real, (uint32_t)added->protocols << MAP_PROTOCOLS_SHIFT);
    return map_list(map, added->placeholder);
}

static int assign(struct assigning *a, unsigned placeholder, unsigned protocols)
{
    if (a->added != NULL && atomic_load(&a->map->start_count) + a->added_count == MAP_START_MAX)
        return PORTMAP_ETOOMANY;
    int real = find_real(a, placeholder);
    if (real < 0)
        return real;
    const struct addition added = {
        .placeholder = (uint16_t)placeholder, .real = (uint16_t)real, .protocols = (uint16_t)protocols};
    if (a->added == NULL)
        return enter_addition(a->map, &added);
    a->added[a->added_count++] = added;
    return 0;
}

static void avoid(struct assigning *a, unsigned port)
{
    portbits_add(&a->avoid, port);
    pool_remove(&a->pool, port);
}

/* Whether a run around this one has the number as a real port: its server is there, and goes by its own. */
static bool is_real_around(const struct map *map, unsigned port)
{
    struct map *outer;
    const char *path = map_about(map, MAP_ABOUT_OUTER, 0);
    if (path == NULL || map_view(&outer, path) != 0)
        return false;
    uint32_t entry = atomic_load(&outer->to_program[port]);
    bool found = (entry != 0 && (entry & MAP_ALIAS) == 0) || is_real_around(outer, port);
    map_detach(outer);
    return found;
}

/* A number that is a real port, in the map or soon, needs no alias, and can have none. */
static bool wants_alias(const struct assigning *a, unsigned placeholder)
{
    if (!map_is_ephemeral(a->map, placeholder) || atomic_load(&a->map->to_program[placeholder]) != 0)
        return false;
    for (unsigned i = 0; i < a->added_count; i++)
        if (a->added[i].real == placeholder)
            return false;
    return !is_real_around(a->map, placeholder);
}

/* The outer run's alias serves as well, unless its number is a placeholder of this one. */
static bool inherit_alias(struct assigning *a, unsigned placeholder)
{
    unsigned alias = a->outer != NULL ? map_alias(a->outer, placeholder) : 0;
    return alias != 0 && map_late_protocols(a->map, alias) == 0 &&
           map_enter_alias(a->map, placeholder, alias, MAP_INHERITED);
}

/* An alias is leased as a real port is. */
static int obtain_alias(struct assigning *a, unsigned placeholder)
{
    a->problem->step = RUN_STEP_PORT;
    a->problem->placeholder = placeholder;
    a->problem->real = 0;
    return obtain_port(&a->obtaining);
}

/* For what is in the map and lacks one, when all real ports are there. */
static int assign_aliases(struct assigning *a)
{
    uint32_t count = atomic_load(&a->map->start_count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned port = a->map->start[i];
        bool inherited = (atomic_load(&a->map->to_kernel[port]) & MAP_INHERITED) != 0;
        while (wants_alias(a, port) && !(inherited && inherit_alias(a, port))) {
            int alias = obtain_alias(a, port);
            if (alias < 0)
                return alias;
            if (map_enter_alias(a->map, port, (unsigned)alias, 0))
                break;
            avoid(a, (unsigned)alias); /* its number is a placeholder by now */
            obtain_return(&a->obtaining, (unsigned)alias);
        }
    }
    return 0;
}

/* For what is to be added, when all real ports are leased. */
static int lease_aliases(struct assigning *a)
{
    for (unsigned i = 0; i < a->added_count; i++) {
        if (!wants_alias(a, a->added[i].placeholder))
            continue;
        int alias = obtain_alias(a, a->added[i].placeholder);
        if (alias < 0)
            return alias;
        a->added[i].alias = (uint16_t)alias;
    }
    return 0;
}

/* Which placeholders are left to be assigned late. */
static void list_late(const struct assigning *a)
{
    const struct portset *ports = a->ports;
    struct map *map = a->map;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        unsigned listed = portset_listed(ports, port), protocols = listed | portset_all(ports, port);
        if (protocols == 0 || portbits_has(&a->first, port))
            continue;
        for (unsigned i = 0; i < 2; i++) {
            if (protocols >> i & 1)
                portbits_add(&map->late[i], port);
            if (listed >> i & 1)
                portbits_add(&map->late_listed[i], port);
        }
        atomic_store(&map->grows, 1);
    }
}

static int assign_start(struct assigning *a)
{
    const struct portset *ports = a->ports;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        unsigned protocols = portset_listed(ports, port);
        if (!portbits_has(&a->first, port) || map_late_protocols(a->map, port) != 0 ||
            map_real(a->map, port) != 0)
            continue;
        if (a->obtaining.means.stop != NULL && a->obtaining.means.stop())
            return -EINTR;
        int error = assign(a, port, protocols);
        if (error != 0)
            return error;
    }
    return 0;
}

/* A port whose claim stands, before it is entered in a map that programs look into. */
static int obtain_standing(struct assigning *a)
{
    for (unsigned tries = 0; tries < LEASES_TRIES; tries++) {
        int port = obtain_port(&a->obtaining);
        if (port < 0 && port != PORTMAP_ETORN)
            return port;
        struct addition added = {.real = port > 0 ? (uint16_t)port : 0};
        a->added = &added;
        a->added_count = port > 0;
        int error = settle(a);
        a->added = NULL;
        a->added_count = 0;
        if (error == 0 && port > 0)
            return port;
        give_back(a, added.real);
        if (error != 0 && error != PORTMAP_ETORN)
            return error;
    }
    return PORTMAP_ETORN;
}

static int add_to_stock(struct assigning *a)
{
    int port = obtain_standing(a);
    if (port < 0)
        return port;
    if (!map_stock_put(a->map, (unsigned)port)) {
        obtain_return(&a->obtaining, (unsigned)port);
        return 0;
    }
    int error = settle(a);
    if (error != 0 && lease_holder(&a->leases, (unsigned)port) != a->obtaining.want.owner)
        map_stock_remove(a->map, (unsigned)port);
    return error;
}

static int fill_stock(struct assigning *a, bool may_be_less)
{
    bool late = false;
    a->problem->step = RUN_STEP_PORT;
    a->problem->placeholder = 0;
    a->problem->real = 0;
    for (unsigned i = 0; i < PORTBITS_WORDS && !late; i++)
        late = (a->map->late[0].word[i] | a->map->late[1].word[i]) != 0;
    for (unsigned i = 0; late && i < MAP_STOCK; i++) {
        if (atomic_load(&a->map->stock[i]) != 0)
            continue;
        if (!obtain_has_time(&a->obtaining) && may_be_less)
            return 0;
        int error = add_to_stock(a);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Whether the run has leased a port that is nowhere in the map: then somebody is about to put it there. */
static bool some_are_on_their_way(const struct assigning *a)
{
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (lease_holder(&a->leases, port) == a->obtaining.want.owner && !is_in_use_here(a->map, port) &&
            !is_in_stock(a->map, port))
            return true;
    return false;
}

/* What the outer run has and this one does not list is this run's too; the leases stay the outer's. So is
 * what the outer one forbids. */
static int inherit(struct assigning *a, const char *path)
{
    struct map *outer, *map = a->map;
    if (path == NULL)
        return 0;
    a->problem->step = RUN_STEP_OUTER;
    int error = map_attach(&outer, path);
    if (error != 0)
        return error;
    a->outer = outer;
    uint32_t count = atomic_load(&outer->start_count);
    for (uint32_t i = 0; i < count && error == 0; i++) {
        unsigned placeholder = outer->start[i];
        uint32_t entry = atomic_load(&outer->to_kernel[placeholder]);
        if (entry == 0 || map_late_protocols(map, placeholder) != 0 ||
            portset_listed(a->ports, placeholder) != 0)
            continue;
        map_assign(map, placeholder, map_entry_port(entry),
                   (map_entry_protocols(entry) << MAP_PROTOCOLS_SHIFT) | MAP_INHERITED);
        error = map_list(map, placeholder);
    }
    if (atomic_load(&outer->grows))
        atomic_store(&map->grows, 1);
    map->strict = map->strict || outer->strict;
    return error;
}

static void name_file(struct run_problem *problem, const char *file)
{
    struct text t = text_in(problem->file, sizeof problem->file);
    text_str(&t, file);
}

static int describe(struct map *map, const struct means *means, const struct run_wish *wish,
                    struct run_problem *problem)
{
    bool fits = map_about_add(map, MAP_ABOUT_COMMAND, wish->command != NULL ? wish->command : "");
    if (wish->name != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_NAME, wish->name);
    if (wish->private_name != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_NAME, wish->private_name);
    if (wish->outer != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_OUTER, wish->outer);
    if (means->server != NULL && means->server->required)
        fits = fits && map_about_add(map, MAP_ABOUT_SERVER, "required");
    for (unsigned i = 0; fits && wish->files != NULL && wish->files[i] != NULL; i++) {
        fits = map_about_add(map, MAP_ABOUT_FILE, wish->files[i]);
        problem->step = RUN_STEP_FILE;
        name_file(problem, wish->files[i]);
    }
    return fits ? 0 : PORTMAP_ETOOMANY;
}

/* What a run that is there, or the one around it, knows: its placeholders, and what the kernel calls
 * something else already. */
static void avoid_known(struct assigning *a)
{
    uint32_t count = atomic_load(&a->map->start_count);
    for (uint32_t i = 0; i < count; i++)
        avoid(a, a->map->start[i]);
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (atomic_load(&a->map->to_program[port]) != 0)
            avoid(a, port);
}

/* `most`: so many placeholders are to be assigned at once. */
static int prepare(struct assigning *a, const struct means *means, const struct portset *ports, unsigned most,
                   struct run_problem *problem)
{
    static const struct portset none;
    *a = (struct assigning){.ports = ports != NULL ? ports : &none, .pool = *means->pool, .problem = problem};
    a->obtaining = (struct obtaining){.means = *means, .leases = &a->leases, .avoid = &a->avoid};
    a->obtaining.means.pool = &a->pool;
    /* The others are assigned late: a list of all there is would leave nothing to lease. */
    portset_first(a->ports, most, &a->first);
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (portbits_has(&a->first, port))
            avoid(a, port);
    for (unsigned i = 0; i < a->ports->fixed_count; i++)
        avoid(a, a->ports->fixed[i].real);
    problem->step = RUN_STEP_TABLE;
    int error = leases_open(&a->leases, means->home);
    if (error == 0)
        sweep_runs(means->home, &a->leases, SWEEP_SOME, LEASE_FREE_ONLY);
    return error;
}

static int claim_names(const struct home *home, const struct run_wish *wish, uint64_t run_id,
                       struct run_problem *problem)
{
    int error = 0;
    problem->step = RUN_STEP_NAME;
    if (wish->name != NULL)
        error = name_claim(home, wish->name, run_id);
    if (error == 0 && wish->private_name != NULL)
        error = name_claim(home, wish->private_name, run_id);
    return error;
}

/* The failed file's name is copied: the map that has it is gone when the problem is told. */
static int publish(const struct run *run, enum publish_occasion occasion, struct run_problem *problem)
{
    const char *failed = "";
    problem->step = RUN_STEP_FILE;
    int error = publish_files(run->map, run->path, occasion, &failed);
    name_file(problem, failed);
    return error;
}

/* Everything between an empty map and a run that others may join. */
static int furnish(struct run *run, struct assigning *a, const struct run_wish *wish)
{
    const struct means *means = &a->obtaining.means;
    a->problem->step = RUN_STEP_DIRECTORY;
    run->map->reveal = wish->reveal;
    run->map->strict = wish->strict;
    run->map->discover = wish->discover;
    int error = describe(run->map, means, wish, a->problem);
    list_late(a);
    if (error == 0)
        error = inherit(a, wish->outer);
    avoid_known(a);
    if (error == 0)
        error = assign_start(a);
    if (error == 0)
        error = assign_aliases(a);
    if (a->outer != NULL)
        map_detach(a->outer);
    if (error == 0)
        error = fill_stock(a, false);
    if (error == 0)
        error = settle(a);
    atomic_store(&run->map->ready, 1);
    if (error == 0)
        error = claim_names(means->home, wish, run->map->run_id, a->problem);
    return error == 0 ? publish(run, PUBLISH_FIRST, a->problem) : error;
}

static int create_map(struct run *run, const struct home *home, uint64_t run_id)
{
    char name[RUNDIR_NAME_SIZE];
    rundir_name(name, run_id);
    int fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = map_create(&run->map, fd, run_id);
    close(fd);
    return error;
}

/* Makes and furnishes the map of a run directory; both are gone again when that fails. */
static int make_run(struct run *run, struct assigning *a, const struct run_wish *wish, uint64_t run_id)
{
    const struct home *home = a->obtaining.means.home;
    int error = rundir_path(home, run_id, run->path);
    if (error == 0)
        error = create_map(run, home, run_id);
    if (error != 0) {
        rundir_remove(home, run_id);
        return error;
    }
    a->map = run->map;
    a->obtaining.want.owner = lease_run_owner(run_id);
    error = furnish(run, a, wish);
    if (error != 0)
        run_discard(run, home);
    return error;
}

static int try_create(struct run *run, const struct means *means, const struct run_wish *wish,
                      struct run_problem *problem)
{
    struct assigning a;
    uint64_t run_id;
    int error = prepare(&a, means, wish->ports, PORTSET_START, problem);
    if (error != 0)
        return error;
    problem->step = RUN_STEP_DIRECTORY;
    error = rundir_create(means->home, &run_id);
    if (error == 0)
        error = make_run(run, &a, wish, run_id);
    lease_close(&a.leases);
    return error;
}

int run_create(struct run *run, const struct means *means, const struct run_wish *wish,
               struct run_problem *problem)
{
    int error = PORTMAP_ETORN;
    for (unsigned tries = 0; error == PORTMAP_ETORN && tries < LEASES_TRIES; tries++)
        error = try_create(run, means, wish, problem);
    return error;
}

/* As prepare(), for a run that is there already: what is listed is assigned at once, however much it is. */
static int prepare_for(struct assigning *a, struct run *run, const struct means *means,
                       const struct portset *ports, struct run_problem *problem)
{
    int error = prepare(a, means, ports, PORT_COUNT, problem);
    a->map = run->map;
    a->obtaining.want.owner = lease_run_owner(run->map->run_id);
    avoid_known(a);
    return error;
}

/* What has been leased for the map, and is not in it. */
static void forget_additions(struct assigning *a)
{
    while (a->added_count > 0) {
        const struct addition *added = &a->added[--a->added_count];
        give_back(a, added->real);
        give_back(a, added->alias);
    }
}

static int enter_additions(struct assigning *a)
{
    int error = 0;
    atomic_store(&a->map->grows, 1);
    for (unsigned i = 0; i < a->added_count && error == 0; i++)
        error = enter_addition(a->map, &a->added[i]);
    for (unsigned i = 0; i < a->added_count && error == 0; i++)
        if (a->added[i].alias != 0 && !map_enter_alias(a->map, a->added[i].placeholder, a->added[i].alias, 0))
            give_back(a, a->added[i].alias);
    return error;
}

/* Takes the last placeholders of the map out again. Those that a program has bound stay; and all do when
 * others came after them, or when a process has joined meanwhile, which has them in its own memory. */
static void take_back(struct lease_table *leases, struct map *map, const struct run_mark *mark)
{
    lease_owner owner = lease_run_owner(map->run_id);
    uint32_t left = mark->first;
    if (atomic_load(&map->start_count) != mark->end || map_was_joined(map, mark->log_next))
        return;
    atomic_store(&map->start_count, left);
    for (uint32_t i = left; i < mark->end; i++) {
        unsigned placeholder = map->start[i], real = map_real(map, placeholder);
        unsigned alias = map_alias(map, placeholder);
        if (map_was_bound(map, placeholder)) {
            map->start[left++] = (uint16_t)placeholder;
            continue;
        }
        map_unassign(map, placeholder);
        lease_release(leases, real, owner);
        if (alias != 0)
            lease_release(leases, alias, owner);
    }
    atomic_store(&map->start_count, left);
}

/* Everything is leased, and can be published, before the run's programs see any of it. */
static int add_all(struct run *run, struct assigning *a)
{
    int error = assign_start(a);
    if (error == 0)
        error = lease_aliases(a);
    if (error == 0)
        error = settle(a);
    if (error == 0)
        error = publish(run, PUBLISH_AGAIN, a->problem);
    if (error != 0)
        forget_additions(a);
    if (error != 0 || a->added_count == 0)
        return error;
    uint32_t first = atomic_load(&run->map->start_count);
    run->mark = (struct run_mark){
        .first = first, .end = first + a->added_count, .log_next = atomic_load(&run->map->log_next)};
    error = enter_additions(a);
    a->added_count = 0;
    assign_aliases(a); /* where the number of one has become a placeholder: what is there goes on without */
    if (error == 0)
        error = settle(a);
    if (error == 0)
        error = publish(run, PUBLISH_AGAIN, a->problem);
    if (error != 0)
        take_back(&a->leases, run->map, &run->mark);
    return error;
}

static int try_add(struct run *run, const struct means *means, const struct portset *ports,
                   struct run_problem *problem)
{
    struct assigning a;
    size_t size = MAP_START_MAX * sizeof *a.added;
    int error = prepare_for(&a, run, means, ports, problem);
    if (error != 0)
        return error;
    a.added = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a.added != MAP_FAILED) {
        error = add_all(run, &a);
        munmap(a.added, size);
    } else {
        error = -errno;
    }
    lease_close(&a.leases);
    return error;
}

/* One at a time, by the lock of the run's directory: two could give one placeholder two real ports. */
int run_add(struct run *run, const struct means *means, const struct portset *ports,
            struct run_problem *problem)
{
    problem->step = RUN_STEP_DIRECTORY;
    int lock = lock_directory(AT_FDCWD, run->path);
    if (lock < 0)
        return lock;
    int error = PORTMAP_ETORN;
    for (unsigned tries = 0; error == PORTMAP_ETORN && tries < LEASES_TRIES; tries++)
        error = try_add(run, means, ports, problem);
    lock_release(lock);
    return error;
}

void run_take_back(struct run *run, const struct home *home)
{
    struct lease_table leases;
    const char *failed;
    int lock = lock_directory(AT_FDCWD, run->path);
    if (lock >= 0 && run->mark.end > run->mark.first && lease_open_existing(&leases, home) == 0) {
        take_back(&leases, run->map, &run->mark);
        publish_files(run->map, run->path, PUBLISH_AGAIN, &failed);
        lease_close(&leases);
    }
    if (lock >= 0)
        close(lock);
}

void run_discard(struct run *run, const struct home *home)
{
    struct lease_table leases;
    uint64_t run_id = run->map->run_id;
    publish_withdraw(run->map, run->path);
    name_forget_all(home, run->map);
    atomic_store(&run->map->ended, 1);
    map_detach(run->map);
    if (lease_open_existing(&leases, home) == 0) {
        sweep_discard(home, &leases, run_id);
        lease_close(&leases);
    }
}

struct obtain_server run_server(const struct map *map, char *const *env)
{
    bool starter_lives = map->pid_namespace != 0 && map->pid_namespace == process_pid_namespace() &&
                         process_is_alive(map->starter, map->starter_start_time);
    struct obtain_server server = obtain_server_of(env, starter_lives ? map->starter : getpid());
    server.required = map_about(map, MAP_ABOUT_SERVER, 0) != NULL;
    return server;
}

int run_find_means(struct run_means *found, const struct home *home, const struct map *map, char *const *env)
{
    struct pool_problem problem;
    found->server = run_server(map, env);
    obtain_limit(&found->server, OBTAIN_BRIEF_MILLISECONDS);
    found->means = (struct means){
        .home = home, .pool = &found->pool, .server = &found->server, .patience = OBTAIN_BRIEF};
    return pool_load(&found->pool, env, &problem);
}

void run_refill(struct run *run, const struct means *means)
{
    struct run_problem problem;
    struct assigning a;
    if (prepare_for(&a, run, means, NULL, &problem) != 0)
        return;
    fill_stock(&a, true);
    lease_close(&a.leases);
}

/*
 * The port is not taken out of the stock that we fill: others could empty that again before. They may also
 * have all that is left of the pool, and put into the stock what they do not need.
 */
static int assign_late(struct assigning *a, unsigned placeholder, uint32_t *entry)
{
    const struct timespec pause = {.tv_nsec = ON_THEIR_WAY_NANOSECONDS / ON_THEIR_WAY_LOOKS};
    uint32_t before = *entry;
    unsigned vain = 0;
    for (unsigned looks = 0;; looks++) {
        if (map_take_late(a->map, placeholder, entry))
            return 1;
        if (*entry != before)
            return 0;
        int port = obtain_standing(a);
        if (port > 0 && map_enter_late(a->map, placeholder, (unsigned)port, entry)) {
            settle(a);
            return 1;
        }
        if (port > 0) {
            avoid(
                a,
                (unsigned)port); /* if it was not another that was quicker, it is an ephemeral placeholder */
            obtain_return(&a->obtaining, (unsigned)port);
            if (*entry != before)
                return 0;
            continue;
        }
        if (port != PORTMAP_EXHAUSTED || looks == ON_THEIR_WAY_LOOKS)
            return port;
        a->obtaining.means.patience = 0; /* it has been waited for who is dying */
        if (some_are_on_their_way(a))
            nanosleep(&pause, NULL);
        else if (++vain == VAIN_LOOKS)
            return port;
    }
}

int run_assign_late(struct run *run, const struct means *means, unsigned placeholder, uint32_t *entry)
{
    struct run_problem problem;
    struct assigning a;
    int result = prepare_for(&a, run, means, NULL, &problem);
    if (result != 0)
        return result;
    result = assign_late(&a, placeholder, entry);
    a.obtaining.means.patience = 0; /* the caller has what it needs */
    if (result >= 0)
        fill_stock(&a, true);
    lease_close(&a.leases);
    return result;
}
