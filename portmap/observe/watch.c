#include "observe/watch.h"

#include "error.h"
#include "host/sockdiag.h"
#include "lease/pool.h"
#include "run/elder.h"
#include "run/find.h"
#include "run/late.h"
#include "run/life.h"
#include "run/publish.h"

#include <dirent.h>
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

/* Whether a file of any length contains this text, or cannot be opened for want of a descriptor. */
static bool file_has(int dir, const char *name, const char *text)
{
    static char buffer[65536];
    size_t len = strlen(text), kept = 0;
    ssize_t got = 0;
    bool found = false;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        found = errno == EMFILE || errno == ENFILE;
    while (fd >= 0 && !found && (got = read(fd, buffer + kept, sizeof buffer - kept)) > 0) {
        size_t have = kept + (size_t)got;
        found = memmem(buffer, have, text, len) != NULL;
        kept = have < len ? have : len - 1; /* the text may lie across two reads */
        memmove(buffer, buffer + have - kept, kept);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

/*
 * At exec a process loses the mapping of the map by which the run counts as alive, and has it again when
 * ld.so has loaded the library. Meanwhile only its environment names the run.
 */
static bool somebody_may_join(const struct watch *watch)
{
    char text[PATH_MAX + 32], name[NAME_MAX + 16];
    bool found = false;
    snprintf(text, sizeof text, "PORTSHIM_RUN=%s", watch->path);
    DIR *proc = opendir("/proc");
    if (proc == NULL)
        return true;
    for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid())
            continue;
        snprintf(name, sizeof name, "%s/environ", entry->d_name);
        found = file_has(dirfd(proc), name, text);
    }
    closedir(proc);
    return found;
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
