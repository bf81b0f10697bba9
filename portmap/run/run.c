#include "run/run.h"
#include "run/texts.h"

#include "base/lock.h"
#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "run/assign.h"
#include "run/late.h"
#include "run/leases.h"
#include "run/life.h"
#include "run/name.h"
#include "run/rundir.h"
#include "run/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How many living runs may want the same name from a file. */
enum { MOST_OF_A_NAME = 1000 };

/* The protocols for which a port is assigned late. */
static unsigned late_protocols(const struct assigning *a, unsigned port)
{
    return portbits_has(&a->first, port) ? 0 : portset_listed(a->ports, port) | portset_all(a->ports, port);
}

static bool any_late(const struct assigning *a)
{
    unsigned port = 0;
    while ((port = portset_next(a->ports, port)) != 0)
        if (late_protocols(a, port) != 0)
            return true;
    return false;
}

/* Enters in the map which placeholders are assigned late. */
static void list_late(const struct assigning *a)
{
    const struct portset *ports = a->ports;
    struct map_head *head = a->map->head;
    for (unsigned port = 0; head->has_late && (port = portset_next(ports, port)) != 0;) {
        unsigned protocols = late_protocols(a, port), listed = portset_listed(ports, port);
        for (unsigned i = 0; i < 2; i++) {
            if (protocols >> i & 1)
                portbits_add(&head->late[i], port);
            if ((protocols & listed) >> i & 1)
                portbits_add(&head->late_listed[i], port);
        }
    }
}

/* Copies the outer run's assignments for placeholders that this run does not list. The outer run keeps their
 * leases. If the outer run is strict, so is this one. */
static int inherit(struct assigning *a)
{
    const struct map *outer = a->outer;
    struct map *map = a->map;
    uint32_t count = outer != NULL ? map_start_count(outer) : 0;
    int error = 0;
    a->problem->step = RUN_STEP_OUTER;
    for (uint32_t i = 0; i < count && error == 0; i++) {
        struct map_pair pair = map_start(outer, i);
        if (pair.real == 0 || map_late_protocols(map, pair.placeholder) != 0 ||
            portset_listed(a->ports, pair.placeholder) != 0)
            continue;
        uint32_t protocols = (uint32_t)(pair.flags & PORTMAP_BOTH) << MAP_PROTOCOLS_SHIFT;
        error = map_assign(map, pair.placeholder, pair.real, protocols | MAP_INHERITED);
    }
    map->head->strict = map->head->strict || (outer != NULL && outer->head->strict);
    return error;
}

static void name_file(struct run_problem *problem, const char *file)
{
    struct text t = text_in(problem->file, sizeof problem->file);
    text_str(&t, file);
}

/* Adds where the runs around this one are. */
static bool add_outer(struct texts *texts, const struct assigning *a)
{
    const char *around;
    bool fits = a->wish->outer == NULL || (texts_add(texts, TEXT_OUTER, a->wish->outer) &&
                                           texts_add(texts, TEXT_AROUND, a->outer_head));
    for (unsigned n = 0; a->outer != NULL && (around = texts_get(a->outer, TEXT_AROUND, n)) != NULL; n++)
        fits = fits && texts_add(texts, TEXT_AROUND, around);
    return fits;
}

/* Adds where it is started, if that directory has a path that fits. */
static void add_directory(struct texts *texts)
{
    char directory[PATH_MAX];
    if (getcwd(directory, sizeof directory) != NULL && *directory == '/')
        texts_add(texts, TEXT_DIRECTORY, directory);
}

static int describe(const struct assigning *a, struct texts *texts)
{
    const struct run_wish *wish = a->wish;
    bool fits = texts_add(texts, TEXT_COMMAND, wish->command != NULL ? wish->command : "");
    if (wish->name != NULL && !wish->name_may_vary)
        fits = fits && texts_add(texts, TEXT_NAME, wish->name);
    if (wish->private_name != NULL)
        fits = fits && texts_add(texts, TEXT_NAME, wish->private_name);
    if (wish->key != NULL)
        fits = fits && texts_add(texts, TEXT_KEY, wish->key);
    fits = fits && add_outer(texts, a);
    for (unsigned i = 0; fits && wish->files != NULL && wish->files[i] != NULL; i++) {
        fits = texts_add(texts, TEXT_FILE, wish->files[i]);
        a->problem->step = RUN_STEP_FILE;
        name_file(a->problem, wish->files[i]);
    }
    add_directory(texts);
    return fits ? 0 : PORTMAP_ETOOMANY;
}

/* Whether a name is free. The first of several is looked at again, as name_claim() does. */
static bool is_free(const struct home *home, const char *name, unsigned number)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    bool free = name_is_free(home, name);
    for (unsigned tries = 1; !free && number == 1 && tries < 3; tries++) {
        nanosleep(&moment, NULL);
        free = name_is_free(home, name);
    }
    return free;
}

/* Gives the run the first of the numbered names that is free. The texts have it before: whatever happens,
 * the run's end takes it away. */
static int claim_varied(const struct assigning *a)
{
    const struct home *home = a->means->home;
    int error = PORTMAP_ENAME;
    for (unsigned number = 1; number <= MOST_OF_A_NAME && error == PORTMAP_ENAME; number++) {
        char name[NAME_MAX_LENGTH + 1];
        name_numbered(name, a->wish->name, number);
        if (!is_free(home, name, number))
            continue;
        error = texts_append(a->texts, a->map, a->run->path, TEXT_NAME, name);
        if (error == 0)
            error = name_claim(home, name, a->map->head->run_id);
    }
    return error;
}

static int claim_names(const struct assigning *a)
{
    const struct home *home = a->means->home;
    int error = 0;
    a->problem->step = RUN_STEP_NAME;
    if (a->wish->name != NULL && a->wish->name_may_vary)
        error = claim_varied(a);
    else if (a->wish->name != NULL)
        error = name_claim(home, a->wish->name, a->map->head->run_id);
    if (error == 0 && a->wish->private_name != NULL)
        error = name_claim(home, a->wish->private_name, a->map->head->run_id);
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
    struct map_head *head = a->map->head;
    const struct obtain_server *server = a->means->server;
    head->reveal = a->wish->reveal;
    head->strict = a->wish->strict;
    head->required = server != NULL && server->required;
    if (a->wish->command == NULL) /* by hand: whoever is executed next joins by itself */
        map_note_exec(a->map);
    list_late(a);
    int error = inherit(a);
    assign_avoid_known(a);
    if (error == 0)
        error = assign_start(a);
    if (error == 0)
        error = assign_aliases(a);
    if (error == 0)
        error = run_fill_stock(a, false);
    if (error == 0)
        error = assign_settle(a);
    atomic_store(&head->ready, 1);
    if (error == 0)
        error = claim_names(a);
    return error == 0 ? run_publish(a->run, PUBLISH_FIRST, a->problem) : error;
}

/* Opens the run around this one, if there is one. */
static int open_outer(struct assigning *a)
{
    int judge;
    a->outer_map.fd = -1;
    a->outer = NULL;
    if (a->wish->outer == NULL)
        return 0;
    a->problem->step = RUN_STEP_OUTER;
    int error = files_join_own(&a->outer_map, a->wish->outer, a->outer_head, &judge);
    if (error == 0)
        error = texts_open(&a->outer_map, AT_FDCWD, a->wish->outer);
    if (error == 0)
        a->outer = &a->outer_map;
    return error;
}

/* Makes the files of a run in its directory, in place of those of a dead run if there are any. */
static int create_files(struct assigning *a, int dir, uint64_t run_id, const char *secret,
                        struct files_kind kind)
{
    static struct texts texts;
    struct run *run = a->run;
    a->texts = &texts;
    texts_begin(&texts, run_id, secret);
    int error = describe(a, &texts);
    if (error != 0)
        return error;
    a->problem->step = RUN_STEP_DIRECTORY;
    run->map = &run->opened;
    error = files_create(run->map, dir, run_id, secret, kind);
    if (error != 0)
        return error;
    error = texts_write(&texts, run->map, dir);
    if (error != 0)
        files_close(run->map);
    return error;
}

/* Gives the head of a dead run its new name. False when another run's processes must not have these files. */
static bool take_files(const struct vacancy *vacancy, const char *secret)
{
    return renameat(vacancy->dir.fd, vacancy->secret, vacancy->dir.fd, secret) == 0 &&
           files_are_free(vacancy->dir.fd, secret);
}

/* Makes a directory with the files of a new run, or takes that of a dead run over. Nothing is left if that
 * fails. */
static int create_run(struct assigning *a)
{
    const struct home *home = a->means->home;
    struct files_kind kind = {.late = any_late(a), .discover = a->wish->discover};
    struct rundir *dir = &a->vacancy->dir;
    char secret[SECRET_SIZE];
    uint64_t run_id;
    lease_namespaces(&a->leases, &kind.pid_namespace, &kind.net_namespace);
    int error = files_secret(secret);
    /* Late tables, and the notes of discovered ports, are other files. */
    if (error == 0 && (kind.late || kind.discover || (dir->fd >= 0 && !take_files(a->vacancy, secret)))) {
        rundir_remove(home, dir);
        error = files_secret(secret); /* whoever has kept an old file sees its new name */
    }
    if (error == 0 && dir->fd < 0)
        error = rundir_create(home, dir);
    if (error != 0)
        return error;
    error = rundir_new_id(&run_id);
    if (error == 0)
        error = rundir_path(home, run_id, a->run->path);
    if (error == 0)
        error = create_files(a, dir->fd, run_id, secret, kind);
    if (error == 0 && (error = rundir_rename(home, dir, run_id)) != 0)
        files_close(a->run->map);
    if (error != 0)
        rundir_remove(home, dir);
    return error;
}

static int make_run(struct assigning *a)
{
    int error = open_outer(a);
    if (error != 0)
        return error;
    a->problem->step = RUN_STEP_DIRECTORY;
    error = create_run(a);
    if (error != 0)
        return error;
    rundir_unlock(&a->vacancy->dir);
    lease_set_last_run(&a->leases, a->run->map->head->run_id);
    assign_set_map(a);
    a->means->pool->ephemeral =
        (struct ephemeral_range){a->map->head->ephemeral_first, a->map->head->ephemeral_last};
    error = furnish(a);
    if (error != 0)
        run_discard(a->run, a->means->home);
    return error;
}

static int try_create(void *context)
{
    struct assigning *a = context;
    struct vacancy vacancy = {.dir.fd = -1};
    a->vacancy = &vacancy;
    int error = assign_begin(a, PORTSET_START);
    if (error == 0) {
        error = make_run(a);
        files_close(&a->outer_map);
        a->outer = NULL;
        lease_close(&a->leases);
    }
    rundir_remove(a->means->home, &vacancy.dir); /* unless it has become the run's */
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
    bool privileged = failed->real != 0 && error == -EACCES && failed->real < pool_first_unprivileged();
    const char *remedy = privileged ? "be root, lower net.ipv4.ip_unprivileged_port_start, or name another"
                         : error == PORTMAP_EXHAUSTED ? "end other runs, or widen PORTSHIM_POOL"
                         : failed->real == 0          ? "list fewer placeholders"
                         : held                       ? "name another real port, or end its holder"
                                                      : "name another real port";
    struct text what = problem_of(problem, failed->real == 0 ? "no real port" : "real port ",
                                  privileged ? "it is privileged" : portmap_strerror(error), remedy);
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
    uint64_t run_id = run->map->head->run_id;
    publish_withdraw(run->map, run->path);
    name_forget_all(home, run->map);
    life_end(run->map);
    files_close(run->map);
    if (lease_open_existing(&leases, home) == 0) {
        sweep_discard(home, &leases, run_id);
        lease_close(&leases);
    }
}

int run_open(struct run *run)
{
    uint64_t run_id = 0;
    run->map = &run->opened;
    rundir_id(strrchr(run->path, '/') + 1, &run_id);
    int error = files_open(run->map, AT_FDCWD, run->path);
    if (error == 0)
        error = files_stay(run->map);
    /* While they were opened, another run may have taken the files over. */
    if (error == 0 && !life_has_head(run->map, run_id))
        error = PORTMAP_EENDED;
    if (error != 0)
        files_close(run->map);
    return error;
}

bool run_compact(const struct run *run, const struct compact_trap *trap, char *buffer, size_t size)
{
    const char *secret = texts_get(run->map, TEXT_SECRET, 0), *around;
    bool fits = secret != NULL && compact_write(run->map, secret, trap, buffer, size);
    for (unsigned n = 0; (around = texts_get(run->map, TEXT_AROUND, n)) != NULL; n++)
        fits = fits && compact_add_outer(buffer, size, around);
    return fits;
}

struct obtain_server run_server(const struct map *map, char *const *env)
{
    bool starter_lives = map->head->pid_namespace != 0 &&
                         map->head->pid_namespace == process_pid_namespace() &&
                         process_is_alive(map->head->starter, map->head->starter_start_time);
    struct obtain_server server = obtain_server_of(env, starter_lives ? map->head->starter : getpid());
    server.required = map->head->required;
    return server;
}
