#include "run/leases.h"

#include "base/lock.h"
#include "error.h"
#include "run/files.h"
#include "run/publish.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

struct recovery {
    struct lease_table *leases;
    const struct home *home;
    int error;
};

bool leases_enter(struct lease_table *leases, unsigned port, lease_owner owner)
{
    return lease_transfer(leases, port, 0, owner) || lease_holder(leases, port) == owner;
}

/* Enters the claims of what was assigned at start. */
static bool enter_start(struct lease_table *leases, const struct map *map, lease_owner owner)
{
    bool all = true;
    uint32_t count = map_start_count(map);
    for (uint32_t i = 0; i < count; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.real != 0 && !(map_pair_entry(pair) & MAP_INHERITED))
            all = leases_enter(leases, pair.real, owner) && all;
        if (pair.alias != 0 && !(pair.flags & MAP_PAIR_ALIAS_INHERITED))
            all = leases_enter(leases, pair.alias, owner) && all;
    }
    return all;
}

/* The same for what was assigned late, or is in stock. Ports that the kernel chose are not leased. */
static bool enter_late(struct lease_table *leases, const struct map *map, lease_owner owner)
{
    bool all = true;
    struct portbits assigned;
    publish_assigned(map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        uint32_t entry = map_to_kernel(map, port);
        unsigned alias = (entry & MAP_LATE) != 0 ? map_alias(map, port) : 0;
        if ((entry & MAP_LATE) != 0 && !(entry & MAP_CHOSEN))
            all = leases_enter(leases, map_entry_port(entry), owner) && all;
        if (alias != 0)
            all = leases_enter(leases, alias, owner) && all;
    }
    for (unsigned i = 0; i < MAP_STOCK; i++)
        if (map_stock(map, i) != 0)
            all = leases_enter(leases, map_stock(map, i), owner) && all;
    return all;
}

bool leases_enter_run(struct lease_table *leases, const struct map *map)
{
    lease_owner owner = lease_run_owner(map->head->run_id);
    bool all = enter_start(leases, map, owner);
    return map->late == NULL ? all : enter_late(leases, map, owner) && all;
}

/* Enters the claims of a run. A map that cannot be opened for want of descriptors or memory may be a living
 * run's: then no table is made. */
static bool record_run(uint64_t run_id, void *context)
{
    struct recovery *recovery = context;
    char path[PATH_MAX];
    struct map map;
    int error = rundir_path(recovery->home, run_id, path);
    if (error == 0)
        error = files_open(&map, AT_FDCWD, path);
    if (error == 0) {
        leases_enter_run(recovery->leases, &map);
        files_close(&map);
    } else if (error == -EMFILE || error == -ENFILE || error == -ENOMEM) {
        recovery->error = error;
    }
    return recovery->error == 0;
}

static int make_locked(struct lease_table *leases, const struct home *home)
{
    int error = lease_open_existing(leases, home);
    if (error != -ENOENT && error != PORTMAP_ETORN)
        return error;
    error = lease_draft(leases, home);
    if (error != 0)
        return error;
    struct recovery recovery = {.leases = leases, .home = home};
    error = rundir_each(home, record_run, &recovery);
    if (error == 0)
        error = recovery.error;
    if (error == 0)
        error = lease_install(home);
    if (error != 0)
        lease_close(leases);
    return error;
}

int leases_open(struct lease_table *leases, const struct home *home)
{
    int error = lease_open_existing(leases, home);
    if (error != -ENOENT && error != PORTMAP_ETORN)
        return error;
    error = lock_wait(home->fd, LOCK_EX, LOCK_PATIENT);
    if (error != 0)
        return error;
    error = make_locked(leases, home);
    flock(home->fd, LOCK_UN);
    return error;
}

/* Opens the table that is the home's now. The home itself may have been removed with the old one. */
static int open_fresh(struct lease_table *fresh, const struct home *home)
{
    if (home_is_in_place(home))
        return leases_open(fresh, home);
    struct home another = *home;
    int error = home_reopen(&another);
    if (error == 0)
        error = leases_open(fresh, &another);
    home_close(&another);
    return error;
}

int leases_retry(int (*try)(void *context), void *context)
{
    int result = PORTMAP_ETORN;
    for (unsigned tries = 0; tries < LEASES_TRIES && result == PORTMAP_ETORN; tries++)
        result = try(context);
    return result;
}

int leases_settle(struct lease_table *leases, const struct home *home, const struct claims *claims)
{
    bool all = true;
    for (unsigned tries = 0; all && tries < LEASES_TRIES; tries++) {
        struct lease_table fresh;
        if (lease_is_current(leases, home))
            return 0;
        int error = open_fresh(&fresh, home);
        if (error != 0)
            return error;
        all = claims->enter(&fresh, claims->context);
        if (!claims->shared)
            lease_close(leases);
        *leases = fresh;
    }
    return PORTMAP_ETORN;
}
