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
static bool starter_may_live(const struct map_head *head)
{
    uint32_t here = process_pid_namespace();
    if (head->pid_namespace == 0)
        return false;
    if (here == 0)
        return true;
    return head->pid_namespace == here && process_is_alive(head->starter, head->starter_start_time);
}

static bool has_processes(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &whole) < 0 || whole.l_type != F_UNLCK;
}

/* Ends the run, unless a process joins it at this moment. */
static enum run_state end(struct map_head *head, int fd)
{
    uint64_t lives = head->run_id << 8 | MAP_LIVES, deciding = head->run_id << 8 | MAP_DECIDING;
    atomic_store(&head->judge, getpid());
    if (!atomic_compare_exchange_strong(&head->life, &lives, deciding) && lives != deciding)
        return RUN_DEAD;
    bool alive = has_processes(fd);
    uint64_t verdict = head->run_id << 8 | (alive ? MAP_LIVES : MAP_DEAD);
    if (!atomic_compare_exchange_strong(&head->life, &deciding, verdict))
        alive = deciding == (head->run_id << 8 | MAP_LIVES);
    return alive ? RUN_ALIVE : RUN_DEAD;
}

/* The state of a run whose head is open as fd and mapped. */
static enum run_state decide(struct map_head *head, int fd)
{
    if (atomic_load(&head->life) == (head->run_id << 8 | MAP_DEAD))
        return RUN_DEAD;
    if (has_processes(fd) || starter_may_live(head)) {
        atomic_store(&head->dead_since, 0);
        return RUN_ALIVE;
    }
    uint64_t now = process_clock(), unset = 0;
    if (atomic_compare_exchange_strong(&head->dead_since, &unset, now) || now - unset < LIFE_GRACE)
        return RUN_DYING;
    return end(head, fd);
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
    int error = files_open(&look.map, home->fd, directory);
    if (error == 0)
        look.state = decide(look.map.head, look.map.fd);
    else if (error == -ENOENT || error == -ENODATA)
        look.state = state_without_map(home, directory);
    else /* a map that we cannot open or read does not make a run dead */
        look.state = RUN_ALIVE;
    return look;
}

void life_look_away(struct life_look *look)
{
    files_close(&look->map);
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
