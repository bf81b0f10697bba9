#include "recover.h"

#include "error.h"
#include "map.h"
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>

struct recovery {
    struct lease_table *leases;
    const struct home *home;
};

static void record_map(struct lease_table *leases, const struct map *map)
{
    lease_owner owner = lease_run_owner(map->run_id);
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        uint32_t back = atomic_load(&map->to_program[port]), there = atomic_load(&map->to_kernel[port]);
        bool real = back != 0 && !(back & (MAP_ALIAS | MAP_INHERITED));
        bool alias = (there & MAP_ALIAS) != 0 && !(there & MAP_INHERITED);
        if (real || alias)
            lease_record(leases, port, owner);
    }
    for (unsigned i = 0; i < MAP_STOCK; i++) {
        unsigned port = atomic_load(&map->stock[i]);
        if (port != 0)
            lease_record(leases, port, owner);
    }
}

static bool record_run(uint64_t run_id, void *context)
{
    const struct recovery *recovery = context;
    char path[PATH_MAX];
    struct map *map;
    if (rundir_path(recovery->home, run_id, path) == 0 && map_attach(&map, path) == 0) {
        record_map(recovery->leases, map);
        map_detach(map);
    }
    return true;
}

int recover_leases_locked(struct lease_table *leases, const struct home *home)
{
    int error = lease_open(leases, home);
    if (error != -ENOENT && error != PORTMAP_ETORN)
        return error;
    error = lease_draft(leases, home);
    if (error != 0)
        return error;
    struct recovery recovery = {leases, home};
    error = rundir_each(home, record_run, &recovery);
    if (error == 0)
        error = lease_install(home);
    if (error != 0)
        lease_close(leases);
    return error;
}

int recover_leases(struct lease_table *leases, const struct home *home)
{
    int error = lease_open(leases, home);
    if (error != -ENOENT && error != PORTMAP_ETORN)
        return error;
    error = home_lock(home);
    if (error != 0)
        return error;
    error = recover_leases_locked(leases, home);
    home_unlock(home);
    return error;
}
