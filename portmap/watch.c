#include "watch.h"

#include "error.h"
#include "find.h"
#include "liveness.h"
#include "pool.h"
#include "publish.h"
#include "run.h"
#include "sockdiag.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

int watch_find(struct watch *watch)
{
    int error = find_run(watch->home, watch->word, watch->path, &watch->run_id);
    if (error != 0)
        return error;
    enum run_state state = liveness_of(watch->home, watch->run_id);
    if (state == RUN_DEAD || state == RUN_GONE || state == RUN_DYING)
        return PORTMAP_EENDED;
    error = map_view(&watch->map, watch->path);
    if (error == 0 && !atomic_load(&watch->map->ready)) {
        map_detach(watch->map);
        watch->map = NULL;
        error = PORTMAP_ENORUN;
    }
    return error == -ENOENT ? PORTMAP_ENORUN : error;
}

static void publish_late(const struct watch *watch)
{
    struct map *map = watch->map;
    const char *failed;
    uint32_t count = atomic_load(&map->late_count);
    if (atomic_exchange(&map->late_published, count) == count)
        return;
    /* Another command may have seen more meanwhile, and its files, written after these, be replaced by them.
     */
    do {
        count = atomic_load(&map->late_published);
        if (publish_files(map, watch->path, PUBLISH_AGAIN, &failed) != 0) {
            atomic_store(&map->late_published, count - 1);
            return;
        }
    } while (atomic_load(&map->late_published) != count);
}

static void fill_stock(const struct watch *watch)
{
    static const struct portset none;
    struct run run = {.map = watch->map};
    struct pool_problem problem;
    struct pool pool;
    struct obtain_server server = run_server(watch->map, environ);
    const struct run_request request = {
        .home = watch->home, .ports = &none, .pool = &pool, .server = &server, .patience = OBTAIN_BRIEF};
    bool wanting = false;
    for (unsigned i = 0; i < MAP_STOCK; i++)
        wanting = wanting || atomic_load(&watch->map->stock[i]) == 0;
    if (wanting && atomic_load(&watch->map->late_count) > 0 && pool_load(&pool, environ, &problem) == 0)
        run_refill(&run, &request);
}

void watch_look_after(const struct watch *watch)
{
    publish_late(watch);
    fill_stock(watch);
}

bool watch_is_alive(const struct watch *watch)
{
    enum run_state state = liveness_of(watch->home, watch->run_id);
    return state == RUN_ALIVE || state == RUN_DYING;
}

int watch_is_listening(const struct watch *watch, int diag, unsigned placeholder, unsigned protocols)
{
    struct sockdiag_port found;
    unsigned real = map_real(watch->map, placeholder);
    if (real == 0)
        return 0;
    int error = sockdiag_ask(diag, real, SOCKDIAG_SERVERS, &found);
    if (error != 0)
        return error;
    return ((protocols & PORTMAP_TCP) != 0 && found.tcp_listening > 0) ||
           ((protocols & PORTMAP_UDP) != 0 && found.udp > 0);
}
