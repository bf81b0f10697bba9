#include "run/life.h"

#include "host/process.h"
#include "run/map.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A run directory without a map is being made, or its maker has died. Nobody needs this long to make one. */
enum { MAKING_SECONDS = 10 };

/* Whether the process that started the run may be alive. Only in our own pid namespace does its pid tell. If
 * that of the run is unknown, only the lock counts; if ours is unknown, it may be the run's. */
static bool starter_may_live(const struct map *map)
{
    uint32_t here = process_pid_namespace();
    if (map->pid_namespace == 0)
        return false;
    if (here == 0)
        return true;
    return map->pid_namespace == here && process_is_alive(map->starter, map->starter_start_time);
}

/*
 * One process at a time judges a run: it tries the exclusive lock to see whether the run has processes, and
 * to another judge that would look like one. This lock is of another kind (fcntl(2), "open file description
 * locks"); it goes when fd is closed.
 */
static bool lock_decision(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/* The state of a run whose map is open as fd and mapped. */
static enum run_state decide(struct map *map, int fd)
{
    if (!lock_decision(fd))
        return atomic_load(&map->dead_since) != 0 ? RUN_DYING : RUN_ALIVE;
    bool has_members = flock(fd, LOCK_EX | LOCK_NB) < 0;
    if (!has_members && atomic_load(&map->ended))
        return RUN_DEAD;
    if (has_members || starter_may_live(map)) {
        flock(fd, LOCK_UN);
        atomic_store(&map->dead_since, 0);
        return RUN_ALIVE;
    }
    uint64_t now = process_clock(), unset = 0;
    if (atomic_compare_exchange_strong(&map->dead_since, &unset, now) || now - unset < LIFE_GRACE)
        return RUN_DYING;
    return RUN_DEAD;
}

static enum run_state state_without_map(const struct home *home, const char *directory)
{
    struct stat st;
    struct timespec now;
    if (fstatat(home->fd, directory, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? RUN_GONE : RUN_ALIVE;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - st.st_mtim.tv_sec > MAKING_SECONDS ? RUN_DEAD : RUN_ALIVE;
}

struct life_look life_look(const struct home *home, uint64_t run_id)
{
    struct life_look look = {.run_id = run_id};
    char directory[RUNDIR_NAME_SIZE];
    rundir_name(directory, run_id);
    look.fd = map_open(&look.map, home->fd, directory);
    if (look.fd >= 0)
        look.state = decide(look.map, look.fd);
    else if (look.fd == -ENOENT || look.fd == -ENODATA)
        look.state = state_without_map(home, directory);
    else /* a map that we cannot open or read does not make a run dead */
        look.state = RUN_ALIVE;
    return look;
}

void life_look_away(struct life_look *look)
{
    if (look->fd < 0)
        return;
    map_detach(look->map);
    close(look->fd);
}

enum run_state life_of(const struct home *home, uint64_t run_id)
{
    struct life_look look = life_look(home, run_id);
    life_look_away(&look);
    return look.state;
}

enum run_state life_settled(const struct home *home, uint64_t run_id)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    enum run_state state;
    while ((state = life_of(home, run_id)) == RUN_DYING)
        nanosleep(&pause, NULL);
    return state;
}
