#include "observe/watch.h"

#include "error.h"
#include "host/processes.h"
#include "host/sockdiag.h"
#include "lease/pool.h"
#include "run/elder.h"
#include "run/find.h"
#include "run/late.h"
#include "run/life.h"
#include "run/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int watch_find(struct watch *watch)
{
    int error = find_run(watch->home, watch->word, watch->path, &watch->run_id);
    if (error != 0)
        return error;
    enum run_state state = life_of(watch->home, watch->run_id);
    if (state == RUN_DEAD || state == RUN_GONE || state == RUN_DYING)
        return PORTMAP_EENDED;
    error = files_open(&watch->opened, AT_FDCWD, watch->path);
    if (error == 0 && atomic_load(&watch->opened.head->ready)) {
        watch->map = &watch->opened;
    } else if (error == 0) {
        files_close(&watch->opened);
        error = PORTMAP_ENORUN;
    }
    if (error == -ENOENT)
        error = elder_is(watch->home, watch->run_id) ? PORTMAP_ETORN : PORTMAP_ENORUN;
    return error;
}

int watch_stay(struct watch *watch)
{
    int error = files_stay(watch->map);
    return error == 0 && !life_has_head(watch->map, watch->run_id) ? PORTMAP_EENDED : error;
}

static void publish_late(const struct watch *watch)
{
    struct map *map = watch->map;
    const char *failed;
    uint32_t count = map->late != NULL ? atomic_load(&map->late->count) : 0;
    if (atomic_exchange(&map->head->late_published, count) == count)
        return;
    /* Another command may write newer files meanwhile, and ours replace them: then write again. */
    do {
        count = atomic_load(&map->head->late_published);
        if (publish_files(map, watch->path, PUBLISH_AGAIN, &failed) != 0) {
            atomic_store(&map->head->late_published, count - 1);
            return;
        }
    } while (atomic_load(&map->head->late_published) != count);
}

static void fill_stock(const struct watch *watch)
{
    struct run run = {.map = watch->map};
    struct run_means found;
    bool wanting = false;
    for (unsigned i = 0; i < MAP_STOCK; i++)
        wanting = wanting || map_stock(watch->map, i) == 0;
    if (wanting && watch->map->late != NULL && atomic_load(&watch->map->late->count) > 0 &&
        run_find_means(&found, watch->home, watch->map, environ) == 0)
        run_refill(&run, &found.means);
}

void watch_look_after(const struct watch *watch)
{
    publish_late(watch);
    fill_stock(watch);
}

struct joining {
    const struct processes_text *text;
    bool found;
};

static bool look_for_joining(pid_t pid, void *context)
{
    struct joining *joining = context;
    int error = pid != getpid() ? processes_find(pid, "environ", joining->text, 1) : -ENODATA;
    joining->found = error == 0 || error == -EMFILE || error == -ENFILE;
    return !joining->found;
}

/*
 * At exec a process loses the mapping of the map by which the run counts as alive, and has it again when
 * ld.so has loaded the library. Meanwhile only its environment names the run.
 */
static bool somebody_may_join(const struct watch *watch)
{
    char variable[PATH_MAX + 32];
    int len = snprintf(variable, sizeof variable, "%cPORTSHIM_RUN=%s", '\0', watch->path);
    const struct processes_text text = {variable, (size_t)len};
    struct joining joining = {.text = &text};
    return !processes_each(look_for_joining, &joining) || joining.found;
}

static bool is_deserted(struct watch *watch)
{
    uint64_t now = process_clock();
    if (watch->deserted != 0 && now - watch->deserted < WATCH_PAUSE)
        return false;
    if (somebody_may_join(watch)) {
        watch->deserted = 0;
        return false;
    }
    if (watch->deserted != 0)
        return true;
    watch->deserted = now;
    return false;
}

bool watch_is_alive(struct watch *watch)
{
    enum run_state state = life_of(watch->home, watch->run_id);
    if (state == RUN_DYING)
        return !is_deserted(watch);
    watch->deserted = 0;
    return state == RUN_ALIVE;
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
