#include "run/run.h"

#include "base/lock.h"
#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "run/assign.h"
#include "run/late.h"
#include "run/leases.h"
#include "run/name.h"
#include "run/rundir.h"
#include "run/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Enters in the map which placeholders are assigned late. */
static void list_late(const struct assigning *a)
{
    const struct portset *ports = a->ports;
    struct map *map = a->map;
    for (unsigned port = 0; (port = portset_next(ports, port)) != 0;) {
        unsigned listed = portset_listed(ports, port), protocols = listed | portset_all(ports, port);
        if (portbits_has(&a->first, port))
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

/* Copies the outer run's assignments for placeholders that this run does not list. The outer run keeps their
 * leases. If the outer run is strict, so is this one. */
static int inherit(struct assigning *a)
{
    struct map *outer, *map = a->map;
    if (a->wish->outer == NULL)
        return 0;
    a->problem->step = RUN_STEP_OUTER;
    int error = map_attach(&outer, a->wish->outer);
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

static int describe(const struct assigning *a)
{
    struct map *map = a->map;
    const struct run_wish *wish = a->wish;
    const struct obtain_server *server = a->means->server;
    bool fits = map_about_add(map, MAP_ABOUT_COMMAND, wish->command != NULL ? wish->command : "");
    if (wish->name != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_NAME, wish->name);
    if (wish->private_name != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_NAME, wish->private_name);
    if (wish->outer != NULL)
        fits = fits && map_about_add(map, MAP_ABOUT_OUTER, wish->outer);
    if (server != NULL && server->required)
        fits = fits && map_about_add(map, MAP_ABOUT_SERVER, "required");
    for (unsigned i = 0; fits && wish->files != NULL && wish->files[i] != NULL; i++) {
        fits = map_about_add(map, MAP_ABOUT_FILE, wish->files[i]);
        a->problem->step = RUN_STEP_FILE;
        name_file(a->problem, wish->files[i]);
    }
    return fits ? 0 : PORTMAP_ETOOMANY;
}

static int claim_names(const struct assigning *a)
{
    const struct home *home = a->means->home;
    int error = 0;
    a->problem->step = RUN_STEP_NAME;
    if (a->wish->name != NULL)
        error = name_claim(home, a->wish->name, a->map->run_id);
    if (error == 0 && a->wish->private_name != NULL)
        error = name_claim(home, a->wish->private_name, a->map->run_id);
    return error;
}

int run_publish(const struct run *run, enum publish_occasion occasion, struct run_problem *problem)
{
    const char *failed = "";
    problem->step = RUN_STEP_FILE;
    int error = publish_files(run->map, run->path, occasion, &failed);
    name_file(problem, failed);
    return error;
}

/* Turns an empty map into a run that others may join. */
static int furnish(struct assigning *a)
{
    a->problem->step = RUN_STEP_DIRECTORY;
    a->map->reveal = a->wish->reveal;
    a->map->strict = a->wish->strict;
    a->map->discover = a->wish->discover;
    int error = describe(a);
    list_late(a);
    if (error == 0)
        error = inherit(a);
    assign_avoid_known(a);
    if (error == 0)
        error = assign_start(a);
    if (error == 0)
        error = assign_aliases(a);
    if (a->outer != NULL)
        map_detach(a->outer);
    a->outer = NULL;
    if (error == 0)
        error = run_fill_stock(a, false);
    if (error == 0)
        error = assign_settle(a);
    atomic_store(&a->map->ready, 1);
    if (error == 0)
        error = claim_names(a);
    return error == 0 ? run_publish(a->run, PUBLISH_FIRST, a->problem) : error;
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

/* Makes and furnishes the map of a run directory; removes both if that fails. */
static int make_run(struct assigning *a, uint64_t run_id)
{
    const struct home *home = a->means->home;
    struct run *run = a->run;
    int error = rundir_path(home, run_id, run->path);
    if (error == 0)
        error = create_map(run, home, run_id);
    if (error != 0) {
        rundir_remove(home, run_id);
        return error;
    }
    assign_set_map(a);
    error = furnish(a);
    if (error != 0)
        run_discard(run, home);
    return error;
}

static int try_create(void *context)
{
    struct assigning *a = context;
    uint64_t run_id;
    int error = assign_begin(a, PORTSET_START);
    if (error != 0)
        return error;
    a->problem->step = RUN_STEP_DIRECTORY;
    error = rundir_create(a->means->home, &run_id);
    if (error == 0)
        error = make_run(a, run_id);
    lease_close(&a->leases);
    return error;
}

int run_create(struct run *run, const struct means *means, const struct run_wish *wish,
               struct run_problem *problem)
{
    struct assigning a = {.run = run, .means = means, .wish = wish, .ports = wish->ports, .problem = problem};
    return leases_retry(try_create, &a);
}

static void explain_port(const struct run_problem *failed, int error, const struct means *means,
                         struct problem *problem)
{
    if (means->pool->error != 0) {
        pool_explain(means->pool, problem);
        return;
    }
    bool held = error == PORTMAP_EHELD || error == PORTMAP_EINUSE;
    const char *remedy = error == PORTMAP_EXHAUSTED ? "end other runs, or widen PORTSHIM_POOL"
                         : failed->real == 0        ? "list fewer placeholders"
                         : held                     ? "name another real port, or end its holder"
                                                    : "name another real port";
    struct text what = problem_of(problem, failed->real == 0 ? "no real port" : "real port ",
                                  portmap_strerror(error), remedy);
    if (failed->real != 0)
        text_uint(&what, failed->real);
    text_str(&what, failed->placeholder != 0 ? " for placeholder " : " for placeholders to come");
    if (failed->placeholder != 0)
        text_uint(&what, failed->placeholder);
}

void run_explain(const struct run_problem *failed, int error, const struct means *means,
                 const struct run_wish *wish, struct problem *problem)
{
    const char *why = lock_strerror(error);
    struct text what;
    switch (failed->step) {
    case RUN_STEP_PORT:
        explain_port(failed, error, means, problem);
        break;
    case RUN_STEP_NAME:
        what = problem_of(problem, "run name \"", why,
                          error == PORTMAP_ELOCKED ? home_remedy(error) : "choose another, or end that run");
        text_str(&what, wish->name != NULL ? wish->name : wish->private_name);
        text_char(&what, '"');
        break;
    case RUN_STEP_FILE:
        if (error == PORTMAP_ETOOMANY)
            what = problem_of(problem, "map file ", "the paths of all map files together are too long",
                              "use shorter ones");
        else
            what = problem_of(problem, "map file ", why,
                              error == PORTMAP_EOTHERS ? "name another file, or remove it"
                                                       : "name a file that can be written");
        text_str(&what, failed->file);
        break;
    case RUN_STEP_OUTER:
        what = problem_of(problem, "the run around this one, ", why,
                          "unset PORTSHIM_RUN, or start it in a living run");
        text_str(&what, wish->outer);
        break;
    case RUN_STEP_DIRECTORY:
    case RUN_STEP_TABLE:
        problem_of(problem, means->home->path, why, home_remedy(error));
    }
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
