#include "life.h"

#include "map.h"
#include "name.h"
#include "probe.h"
#include "process.h"
#include "rundir.h"
#include "sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A run directory without a map is being made, or its maker died at it; nobody needs this long. */
enum { MAKING_SECONDS = 10 };

/* One run while somebody decides about it. */
struct look {
    uint64_t run_id;
    struct map *map; /* NULL when there is no usable one */
    int fd;          /* of the map file; holds the locks when state is RUN_DEAD */
    enum run_state state;
};

/*
 * Whether the process that started the run may live. It is judged by its pid only in its own pid namespace;
 * a run that was made where that could not be read is judged by its lock alone. Where we cannot read ours, it
 * may be the same one.
 */
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
 * One process at a time decides about a run: the exclusive lock with which it asks for members would look
 * like a member to another. This lock is of the other kind (fcntl(2), "open file description locks"), and
 * goes with fd.
 */
static bool lock_decision(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/* The state of a run whose map is open and mapped. */
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

static struct look look_at(const struct home *home, uint64_t run_id)
{
    struct look look = {.run_id = run_id};
    char directory[RUNDIR_NAME_SIZE];
    rundir_name(directory, run_id);
    look.fd = map_open(&look.map, home->fd, directory);
    if (look.fd >= 0)
        look.state = decide(look.map, look.fd);
    else if (look.fd == -ENOENT || look.fd == -ENODATA)
        look.state = state_without_map(home, directory);
    else /* for want of a descriptor, or of its version's layout, it is not dead */
        look.state = RUN_ALIVE;
    return look;
}

static void look_away(struct look *look)
{
    if (look->fd < 0)
        return;
    map_detach(look->map);
    close(look->fd);
}

enum run_state life_of(const struct home *home, uint64_t run_id)
{
    struct look look = look_at(home, run_id);
    look_away(&look);
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

/* Whether a dead run's port may go to somebody else. Another network namespace cannot be asked. */
static bool is_free_again(const struct look *look, unsigned port, enum lease_effort effort)
{
    if (look->map != NULL && process_is_other_network(look->map->net_namespace))
        return true;
    return probe_port(port) == PROBE_FREE ||
           (effort == LEASE_TIME_WAIT && sockdiag_only_time_wait(port) == 1);
}

/* Ends a dead run for good. Its lock, if it has a map, is held. */
static void end_run(const struct home *home, struct lease_table *leases, struct look *look,
                    enum lease_effort effort, struct sweep *sweep)
{
    lease_owner owner = lease_run_owner(look->run_id);
    bool all_free = true;
    if (look->map != NULL)
        atomic_store(&look->map->ended, 1);
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        if (lease_holder(leases, port) != owner)
            continue;
        if (is_free_again(look, port, effort)) {
            lease_release(leases, port, owner);
            sweep->freed++;
        } else {
            all_free = false;
        }
    }
    if (!all_free)
        return;
    if (look->map != NULL)
        name_forget_all(home, look->map);
    rundir_remove(home, look->run_id);
    sweep->removed++;
}

struct sweeping {
    const struct home *home;
    struct lease_table *leases;
    enum lease_effort effort;
    unsigned skip, left; /* runs to pass over first, then to look at */
    struct sweep result;
};

static bool count_run(uint64_t run_id, void *context)
{
    (void)run_id;
    ++*(unsigned *)context;
    return true;
}

static bool sweep_run(uint64_t run_id, void *context)
{
    struct sweeping *sweeping = context;
    if (sweeping->skip > 0) {
        sweeping->skip--;
        return true;
    }
    struct look look = look_at(sweeping->home, run_id);
    if (look.state == RUN_DEAD)
        end_run(sweeping->home, sweeping->leases, &look, sweeping->effort, &sweeping->result);
    sweeping->result.dying += look.state == RUN_DYING;
    look_away(&look);
    return --sweeping->left > 0;
}

/* Gives back what belongs to runs whose directory is gone: somebody cleaned up by hand. */
static void sweep_orphans(struct sweeping *sweeping)
{
    uint64_t last = 0;
    bool gone = false;
    struct look nothing = {.fd = -1};
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = lease_holder(sweeping->leases, port);
        uint64_t run_id = lease_owner_run(owner);
        if (run_id != 0 && run_id != last) {
            gone = life_of(sweeping->home, run_id) == RUN_GONE;
            last = run_id;
        }
        if (run_id != 0 && gone && is_free_again(&nothing, port, sweeping->effort)) {
            lease_release(sweeping->leases, port, owner);
            sweeping->result.freed++;
        }
    }
}

struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most,
                        enum lease_effort effort)
{
    struct sweeping sweeping = {.home = home, .leases = leases, .effort = effort, .left = most};
    unsigned runs = 0;
    rundir_each(home, count_run, &runs);
    if (runs > most)
        sweeping.skip = (unsigned)(process_clock() / 1000 % (runs - most + 1));
    rundir_each(home, sweep_run, &sweeping);
    if (most == SWEEP_ALL)
        sweep_orphans(&sweeping);
    return sweeping.result;
}

void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id)
{
    lease_owner owner = lease_run_owner(run_id);
    for (unsigned port = 1; port < PORT_COUNT; port++)
        lease_release(leases, port, owner);
    rundir_remove(home, run_id);
}
