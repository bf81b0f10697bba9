#include "run/add.h"

#include "base/lock.h"
#include "error.h"
#include "run/assign.h"
#include "run/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Takes the marked placeholders, the last ones, out of the map. Those that a program has bound stay. All stay
 * when others were added after them, or when a process has joined since: it has copied them. */
static void take_back(struct lease_table *leases, struct map *map, const struct run_mark *mark)
{
    lease_owner owner = lease_run_owner(map->head->run_id);
    uint32_t left = mark->first;
    if (map_start_count(map) != mark->end || map_was_joined(map, mark->log_next))
        return;
    for (uint32_t i = left; i < mark->end; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.real == 0 || map_was_bound(map, pair.placeholder)) {
            left = i + 1;
            continue;
        }
        map_unassign(map, i);
        lease_release(leases, pair.real, owner);
        if (pair.alias != 0)
            lease_release(leases, pair.alias, owner);
    }
    map_shorten(map, left);
}

/* Leases and publishes everything before the run's programs see any of it: an error leaves no trace. */
static int add_all(struct assigning *a)
{
    struct run *run = a->run;
    int error = assign_start(a);
    if (error == 0)
        error = assign_lease_aliases(a);
    if (error == 0)
        error = assign_settle(a);
    if (error == 0)
        error = run_publish(run, PUBLISH_AGAIN, a->problem);
    if (error != 0)
        assign_forget_added(a);
    if (error != 0 || a->added_count == 0)
        return error;
    uint32_t first = map_start_count(run->map);
    run->mark =
        (struct run_mark){.first = first, .end = first + a->added_count, .log_next = map_log_next(run->map)};
    error = assign_enter_added(a);
    a->added_count = 0;
    assign_aliases(a); /* new ones where an old alias has become a placeholder; it can do without */
    if (error == 0)
        error = assign_settle(a);
    if (error == 0)
        error = run_publish(run, PUBLISH_AGAIN, a->problem);
    if (error != 0)
        take_back(&a->leases, run->map, &run->mark);
    return error;
}

static int try_add(void *context)
{
    struct assigning *a = context;
    size_t size = MAP_START_MAX * sizeof *a->added;
    int error = assign_begin_for_run(a);
    if (error != 0)
        return error;
    a->added = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (a->added != MAP_FAILED) {
        error = add_all(a);
        munmap(a->added, size);
    } else {
        error = -errno;
    }
    lease_close(&a->leases);
    return error;
}

/* Adds under the lock of the run's directory: two at once could give one placeholder two real ports. */
int run_add(struct run *run, const struct means *means, const struct portset *ports,
            struct run_problem *problem)
{
    problem->step = RUN_STEP_DIRECTORY;
    int lock = lock_directory(AT_FDCWD, run->path, LOCK_PATIENT);
    if (lock < 0)
        return lock;
    struct assigning a = {.run = run, .means = means, .ports = ports, .problem = problem};
    int error = leases_retry(try_add, &a);
    lock_release(lock);
    return error;
}

void run_take_back(struct run *run, const struct home *home)
{
    struct lease_table leases;
    const char *failed;
    int lock = lock_directory(AT_FDCWD, run->path, LOCK_PATIENT);
    if (lock >= 0 && run->mark.end > run->mark.first && lease_open_existing(&leases, home) == 0) {
        take_back(&leases, run->map, &run->mark);
        publish_files(run->map, run->path, PUBLISH_AGAIN, &failed);
        lease_close(&leases);
    }
    if (lock >= 0)
        close(lock);
}
