#include "run/late.h"

#include "base/text.h"
#include "error.h"
#include "run/assign.h"
#include "run/leases.h"
#include "run/rundir.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * When the pool is exhausted, other processes of the run may be about to enter ports that they have leased.
 * Wait for those, ON_THEIR_WAY_NANOSECONDS at most: a process that was killed never enters its port. When
 * there are none, look VAIN_LOOKS times: one look can miss a port that moves from the stock to the map
 * meanwhile.
 */
enum { ON_THEIR_WAY_LOOKS = 50, ON_THEIR_WAY_NANOSECONDS = 50000000, VAIN_LOOKS = 3 };

/* Leases a port and checks that the claim stands, before it is entered in a map that programs read. */
static int try_obtain_standing(void *context)
{
    struct assigning *a = context;
    int port = obtain_port(&a->obtaining);
    if (port < 0 && port != PORTMAP_ETORN)
        return port;
    struct addition added = {.real = port > 0 ? (uint16_t)port : 0};
    a->added = &added;
    a->added_count = port > 0;
    int error = assign_settle(a);
    a->added = NULL;
    a->added_count = 0;
    if (error == 0)
        return port;
    assign_give_back(a, added.real);
    return error;
}

static int obtain_standing(struct assigning *a)
{
    return leases_retry(try_obtain_standing, a);
}

static int add_to_stock(struct assigning *a)
{
    int port = obtain_standing(a);
    if (port < 0)
        return port;
    map_grant(a->map, (unsigned)port);
    if (!map_stock_put(a->map, (unsigned)port)) {
        map_revoke(a->map, (unsigned)port);
        obtain_return(&a->obtaining, (unsigned)port);
        return 0;
    }
    int error = assign_settle(a);
    if (error != 0 && lease_holder(&a->leases, (unsigned)port) != a->obtaining.want.owner)
        map_stock_remove(a->map, (unsigned)port);
    return error;
}

int run_fill_stock(struct assigning *a, bool may_be_less)
{
    a->problem->step = RUN_STEP_PORT;
    a->problem->placeholder = 0;
    a->problem->real = 0;
    for (unsigned i = 0; a->map->late != NULL && i < MAP_STOCK; i++) {
        if (map_stock(a->map, i) != 0)
            continue;
        if (!obtain_has_time(&a->obtaining) && may_be_less)
            return 0;
        int error = add_to_stock(a);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Whether the run owns a port that is not in its map: then another process is about to enter it. */
static bool some_are_on_their_way(const struct assigning *a)
{
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (lease_holder(&a->leases, port) == a->obtaining.want.owner && !assign_knows(a->map, port))
            return true;
    return false;
}

/*
 * Leases a port for this placeholder, rather than fill the stock and take one from there: other processes
 * could empty it first. They may also hold the last ports of the pool, and put into the stock those that they
 * do not need: so it is looked at each time.
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
        if (port > 0)
            map_grant(a->map, (unsigned)port);
        if (port > 0 && map_enter_late(a->map, placeholder, (unsigned)port, entry)) {
            assign_settle(a);
            return 1;
        }
        if (port > 0) {
            /* Either another process was quicker, or the port's number is an ephemeral placeholder. */
            assign_avoid(a, (unsigned)port);
            map_revoke(a->map, (unsigned)port);
            obtain_return(&a->obtaining, (unsigned)port);
            if (*entry != before)
                return 0;
            continue;
        }
        if (port != PORTMAP_EXHAUSTED || looks == ON_THEIR_WAY_LOOKS)
            return port;
        a->obtaining.means.patience = 0; /* dying runs have been waited for by now */
        if (some_are_on_their_way(a))
            nanosleep(&pause, NULL);
        else if (++vain == VAIN_LOOKS)
            return port;
    }
}

int run_find_means(struct run_means *found, const struct home *home, const struct map *map, char *const *env)
{
    struct problem problem;
    found->server = run_server(map, env);
    obtain_limit(&found->server, OBTAIN_BRIEF_MILLISECONDS);
    found->means = (struct means){
        .home = home, .pool = &found->pool, .server = &found->server, .patience = OBTAIN_BRIEF};
    return pool_choose(&found->pool, env, &problem);
}

void run_refill(struct run *run, const struct means *means)
{
    struct run_problem problem;
    struct assigning a = {.run = run, .means = means, .problem = &problem};
    if (assign_begin_for_run(&a) != 0)
        return;
    run_fill_stock(&a, true);
    lease_close(&a.leases);
}

int run_assign_late(struct run *run, const struct means *means, unsigned placeholder, uint32_t *entry)
{
    struct run_problem problem;
    struct assigning a = {.run = run, .means = means, .problem = &problem};
    int result = assign_begin_for_run(&a);
    if (result != 0)
        return result;
    result = assign_late(&a, placeholder, entry);
    a.obtaining.means.patience = 0; /* the caller has what it needs */
    if (result >= 0)
        run_fill_stock(&a, true);
    lease_close(&a.leases);
    return result;
}

/* Opens the home that the run's path is in. PORTSHIM_HOME does not tell: the program may have removed it. */
static bool open_home(struct home *home, const char *run_path)
{
    char variable[PATH_MAX + 16];
    char *environment[] = {variable, NULL};
    struct text t = text_in(variable, sizeof variable);
    text_str(&t, "PORTSHIM_HOME=");
    text_str(&t, run_path);
    for (unsigned parts = 0; parts < 2; parts++) { /* cut off /runs/ID */
        char *slash = strrchr(variable, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
    }
    return home_open(home, environment) == 0;
}

static int lease_in(struct run *run, const struct home *home, char *const *env, unsigned placeholder,
                    uint32_t *entry)
{
    struct run_means found;
    int result = run_find_means(&found, home, run->map, env);
    if (result == 0 && entry != NULL) {
        result = run_assign_late(run, &found.means, placeholder, entry);
    } else if (result == 0) {
        found.means.patience = 0;
        run_refill(run, &found.means);
    }
    return result;
}

int run_lease_late(const char *run_path, const struct map *map, char *const *env, unsigned placeholder,
                   uint32_t *entry)
{
    struct run run = {.map = &run.opened};
    struct home home;
    if (access(run_path, F_OK) < 0 || !open_home(&home, run_path))
        return -ENOENT;
    int result = rundir_path(&home, map->head->run_id, run.path);
    if (result == 0)
        result = run_open(&run);
    if (result == 0) {
        result = lease_in(&run, &home, env, placeholder, entry);
        files_close(run.map);
    }
    home_close(&home);
    return result;
}
