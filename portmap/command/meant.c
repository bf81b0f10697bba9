#include "command/meant.h"

#include "base/text.h"
#include "command/command.h"
#include "command/worktree.h"
#include "error.h"
#include "run/find.h"
#include "run/life.h"
#include "run/name.h"
#include "run/rundir.h"
#include "run/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_ports(const char *word)
{
    static struct portset ports;
    struct problem problem;
    memset(&ports, 0, sizeof ports);
    return strcmp(word, "all") == 0 || portset_add(&ports, word, &problem) == 0;
}

/* Whether a word is the name of a living run, or a map file or directory of a run. */
static bool is_run(const struct home *home, const char *word)
{
    char path[PATH_MAX];
    uint64_t run_id;
    if (name_is_valid(word) && name_find(home, word) != 0)
        return !name_is_free(home, word);
    return find_run(home, word, path, &run_id) == 0;
}

const char *meant_take(const struct home *home, char ***words, bool needs_port)
{
    char **at = *words;
    while (*at != NULL && is_ports(*at))
        at++;
    bool all_ports = *at == NULL, one_needed = needs_port && at - *words == 1;
    if (all_ports && (at == *words || one_needed || !is_run(home, **words)))
        return NULL;
    return *(*words)++;
}

/* How many names of runs are listed when several are meant. */
enum { MOST_LISTED = 8 };

/* The runs that were started in one directory, while all runs are looked at. */
struct looking {
    const struct home *home;
    char here[PATH_MAX]; /* the working directory */
    unsigned limit;      /* how many levels above that they may be */
    unsigned height;     /* how many the nearest are */
    unsigned count;      /* of the nearest that live */
    bool dying;          /* one as near may live: it is just executing a program */
    uint64_t ended;      /* one as near that is dying, or dead and not cleared up; or 0 */
    char path[PATH_MAX]; /* of the first of them */
    char list[1024];     /* their names */
};

/* How many levels `directory` is above another: both are absolute, without "." or "..". False when it is not
 * above it. */
static bool is_above(const char *directory, const char *here, unsigned *height)
{
    size_t len = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    if (strncmp(directory, here, len) != 0 || (here[len] != '/' && here[len] != '\0'))
        return false;
    *height = 0;
    for (const char *at = here + len; *at != '\0'; at++)
        *height += at[0] == '/' && at[1] != '\0';
    return true;
}

/* Lists a run by its name, or else by its id. */
static void list_run(struct looking *looking, const struct map *map, const char *path)
{
    struct text t = {looking->list, sizeof looking->list, strlen(looking->list), false};
    const char *name = name_given(map);
    if (looking->count > MOST_LISTED)
        return;
    text_str(&t, looking->count > 1 ? ", " : "");
    text_str(&t, looking->count == MOST_LISTED ? "..." : name != NULL ? name : strrchr(path, '/') + 1);
}

/* Counts a run that was started as near as any other, or nearer. */
static void count_run(struct looking *looking, const struct map *map, const char *path, unsigned height)
{
    if (looking->count == 0 || height < looking->height) {
        looking->count = 0;
        looking->height = height;
        looking->list[0] = '\0';
        memcpy(looking->path, path, strlen(path) + 1);
    }
    looking->count++;
    list_run(looking, map, path);
}

/* Whether these are the texts of the run: a dead one's are written over by the next. */
static bool is_of(const struct map *map, uint64_t run_id)
{
    const char *text = texts_get(map, TEXT_RUN, 0);
    uint64_t id;
    return text != NULL && rundir_id(text, &id) && id == run_id;
}

static bool look_at_run(uint64_t run_id, void *context)
{
    struct looking *looking = context;
    struct map map = {.fd = -1};
    char path[PATH_MAX];
    unsigned height;
    if (rundir_path(looking->home, run_id, path) != 0 || texts_open(&map, AT_FDCWD, path) != 0)
        return true;
    const char *directory = texts_get(&map, TEXT_DIRECTORY, 0);
    if (is_of(&map, run_id) && directory != NULL && is_above(directory, looking->here, &height) &&
        height <= looking->limit && (looking->count == 0 || height <= looking->height)) {
        enum run_state state = life_of(looking->home, run_id);
        looking->dying = looking->dying || state == RUN_DYING;
        looking->ended = state == RUN_DYING || state == RUN_DEAD ? run_id : looking->ended;
        if (state == RUN_ALIVE)
            count_run(looking, &map, path, height);
    }
    texts_close(&map);
    return true;
}

static int look(struct looking *looking)
{
    looking->count = 0;
    looking->dying = false;
    looking->ended = 0;
    return rundir_each(looking->home, look_at_run, looking);
}

/* Looks twice if a run may live that was just found without a process. 0 or a negated errno. */
static int look_well(struct looking *looking)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    int error = look(looking);
    if (error == 0 && looking->dying) {
        nanosleep(&moment, NULL);
        error = look(looking);
    }
    return error;
}

/* The run that PORTSHIM_RUN names. */
static int find_own(const struct home *home, const char *own, char path[static PATH_MAX],
                    struct problem *problem)
{
    uint64_t run_id;
    int error = find_run(home, own, path, &run_id);
    if (error == PORTMAP_ENORUN || (error == 0 && life_settled(home, run_id) != RUN_ALIVE))
        error = PORTMAP_EENDED;
    struct text what =
        problem_of(problem, "PORTSHIM_RUN=", portmap_strerror(error), "name a run, or unset PORTSHIM_RUN");
    text_str(&what, own);
    return error;
}

static int find_here(const struct home *home, char path[static PATH_MAX], struct problem *problem)
{
    static struct looking looking;
    static char why[sizeof looking.list + 64];
    looking.home = home;
    if (getcwd(looking.here, sizeof looking.here) == NULL) {
        problem_of(problem, "the working directory", portmap_strerror(-errno), "name a run");
        return -errno;
    }
    looking.limit = worktree_of(".").height;
    int error = look_well(&looking);
    if (error != 0) {
        problem_of(problem, home->path, portmap_strerror(error), "check PORTSHIM_HOME");
        return error;
    }
    if (looking.count > 1) {
        snprintf(why, sizeof why, "%u were started in one directory: %s", looking.count, looking.list);
        problem_of(problem, "run", why, "name one of them");
        return PORTMAP_ETOOMANY;
    }
    memcpy(path, looking.path, sizeof looking.path);
    return looking.count == 1 ? 0 : PORTMAP_ENORUN;
}

int meant_here(const struct home *home, char path[static PATH_MAX], struct problem *problem)
{
    const char *own = secure_getenv("PORTSHIM_RUN");
    return own != NULL && *own != '\0' ? find_own(home, own, path, problem) : find_here(home, path, problem);
}

uint64_t meant_ended_here(const struct home *home)
{
    static struct looking looking;
    looking.home = home;
    looking.limit = 0;
    bool found = getcwd(looking.here, sizeof looking.here) != NULL && look_well(&looking) == 0;
    return found && looking.count == 0 ? looking.ended : 0;
}

const char *meant_run(const struct home *home, const char *run)
{
    static char path[PATH_MAX];
    struct problem problem;
    if (run != NULL)
        return run;
    int error = meant_here(home, path, &problem);
    if (error == PORTMAP_ENORUN)
        command_fail("none that lives was started in this directory or above it", "name one, see portshim ls",
                     "run");
    if (error != 0)
        command_fail_of(&problem);
    return path;
}
