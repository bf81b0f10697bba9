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
    lease_owner owner = lease_run_owner(map->run_id);
    uint32_t left = mark->first;
    if (atomic_load(&map->start_count) != mark->end || map_was_joined(map, mark->log_next))
        return;
    atomic_store(&map->start_count, left);
    for (uint32_t i = left; i < mark->end; i++) {
        unsigned placeholder = map->start[i], real = map_real(map, placeholder);
        unsigned alias = map_alias(map, placeholder);
        if (map_was_bound(map, placeholder)) {
            map->start[left++] = (uint16_t)placeholder;
            continue;
        }
        map_unassign(map, placeholder);
        lease_release(leases, real, owner);
        if (alias != 0)
            lease_release(leases, alias, owner);
    }
    atomic_store(&map->start_count, left);
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
    uint32_t first = atomic_load(&run->map->start_count);
    run->mark = (struct run_mark){
        .first = first, .end = first + a->added_count, .log_next = atomic_load(&run->map->log_next)};
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
