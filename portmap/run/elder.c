#include "run/elder.h"

#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The beginning of the map of version 0.1, and the size of all of it. */
struct elder_map {
    char magic[8];
    uint32_t version;
    uint32_t size;
    uint64_t run_id;
    uint64_t starter_start_time;
    int32_t starter;
    uint32_t pid_namespace;
    uint32_t net_namespace;
    uint32_t uid;
    char unused[56];
    _Atomic uint32_t ready, ended;
    _Atomic uint64_t dead_since;
};

enum { ELDER_VERSION = 2, ELDER_SIZE = 643288 };

/* A directory that is still without a map is being made, or its maker has died. That takes less than this. */
enum { MAKING_SECONDS = 10 };

_Static_assert(offsetof(struct elder_map, ended) == 108, "the layout of version 0.1");
_Static_assert(offsetof(struct elder_map, dead_since) == 112, "the layout of version 0.1");

static bool starter_may_live(const struct elder_map *map)
{
    uint32_t here = process_pid_namespace();
    if (map->pid_namespace == 0)
        return false;
    if (here == 0)
        return true;
    return map->pid_namespace == here && process_is_alive(map->starter, map->starter_start_time);
}

/* A process of such a run holds a shared flock(2). To see whether there is one, a judge tries the exclusive
 * lock, under a lock of another kind that keeps other judges from being taken for processes. */
static enum run_state decide(struct elder_map *map, int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
        return atomic_load(&map->dead_since) != 0 ? RUN_DYING : RUN_ALIVE;
    bool has_members = flock(fd, LOCK_EX | LOCK_NB) < 0;
    if (!has_members && atomic_load(&map->ended))
        return RUN_DEAD;
    if (has_members || starter_may_live(map)) {
        atomic_store(&map->dead_since, 0);
        return RUN_ALIVE;
    }
    uint64_t now = process_clock(), unset = 0;
    if (atomic_compare_exchange_strong(&map->dead_since, &unset, now) || now - unset < LIFE_GRACE)
        return RUN_DYING;
    atomic_store(&map->ended, 1);
    return RUN_DEAD;
}

static bool is_elder(const struct elder_map *map, uint64_t run_id)
{
    static const char magic[8] = "psmap\n\x1a";
    return memcmp(map->magic, magic, sizeof magic) == 0 && map->version == ELDER_VERSION &&
           map->size == ELDER_SIZE && map->run_id == run_id;
}

static bool look_at_map(int fd, uint64_t run_id, enum run_state *state)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != ELDER_SIZE)
        return false;
    struct elder_map *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return true; /* nothing is known about it */
    bool known = is_elder(map, run_id);
    if (known)
        *state = decide(map, fd);
    munmap(map, sizeof *map);
    return known;
}

/* Whether the directory, which has no map, may be one that version 0.1 is just making. This version lets
 * everybody pass through its own from the beginning. */
static bool is_being_made(int run_dir)
{
    struct stat st;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return fstat(run_dir, &st) == 0 && (st.st_mode & 077) == 0 &&
           now.tv_sec - st.st_mtim.tv_sec < MAKING_SECONDS && st.st_mtim.tv_sec - now.tv_sec < MAKING_SECONDS;
}

bool elder_look(int run_dir, uint64_t run_id, enum run_state *state)
{
    int fd = openat(run_dir, "map", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *state = RUN_ALIVE;
    if (fd < 0)
        return errno == ENOENT && is_being_made(run_dir);
    bool known = look_at_map(fd, run_id, state);
    close(fd);
    return known;
}

bool elder_is(const struct home *home, uint64_t run_id)
{
    struct life_judge judge = {0};
    struct life_look look = life_look(home, run_id, &judge);
    life_look_away(&look);
    return look.files == LIFE_ELDER;
}
