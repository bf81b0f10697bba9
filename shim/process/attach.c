#include "process/attach.h"

#include "base/environment.h"
#include "base/text.h"
#include "error.h"
#include "process/apart.h"
#include "process/by_hand.h"
#include "process/carry.h"
#include "process/die.h"
#include "process/loaded.h"
#include "process/memory.h"
#include "process/once.h"
#include "process/own_program.h"
#include "process/refill.h"
#include "process/settle.h"
#include "process/supervised.h"
#include "process/tell.h"
#include "run/compact.h"
#include "run/files.h"
#include "run/texts.h"
#include "run/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The alignment keeps what is in front of the tables in one page. */
APART _Alignas(256) struct view own_view;

_Atomic uint32_t attach_done;
bool attach_keeps_deepbind;

/* The maps of the view: of this process's run, and of those around it, which few programs have. */
static struct map own_map;
APART struct map attach_outer_maps[VIEW_MAPS - 1];

/* Adds the maps of the runs around this one, up to one that has ended: only its late assignments are lost. */
static void add_outer(void)
{
    int judge;
    char *head = carry_outer;
    for (unsigned n = 0; compact_outer(carry_compact(), n, head); n++) {
        struct map *map = &attach_outer_maps[n < VIEW_MAPS - 2 ? n : VIEW_MAPS - 2];
        if (files_join(map, head, &judge) != 0)
            return;
        if (view_add_map(&own_view, map))
            continue;
        *strrchr(head, '/') = '\0'; /* the secret is for nobody to read */
        if (map->late != NULL)      /* they would be missed; inner runs have copied the others */
            die(head, "too many runs are inside of this one, which has late placeholders", "nest fewer runs");
        files_close(map);
    }
}

/* `around` and `trap` as for carry_map(). */
static void use_map(struct map *map, const char *run_path, const char *secret, const char *around,
                    const struct compact_trap *trap)
{
    view_add_map(&own_view, map);
    if (!carry_map(run_path, map, secret, around, trap))
        die(run_path, "too many placeholders for one environment variable", "list fewer, or use all");
    texts_close(map);
    add_outer();
    view_log(&own_view, MAP_EVENT_ATTACH, 0, 0, 0);
}

/*
 * Whether the run's directory is missing from the directory that held it: then the run is over, and its ports
 * may be others' by now. After chroot, or in another mount namespace, the latter directory is missing too.
 */
static bool has_ended(const char *run_path)
{
    char runs[PATH_MAX];
    struct text t = text_in(runs, sizeof runs);
    text_bytes(&t, run_path, (size_t)(strrchr(run_path, '/') - run_path));
    return access(run_path, F_OK) < 0 && errno == ENOENT && access(runs, X_OK) == 0;
}

static const char end_remedy[] = "start a new run, or unset PORTSHIM_RUN and LD_PRELOAD";

_Noreturn static void die_of_run(const char *run_path, int error, int judge)
{
    char what[PATH_MAX];
    struct text t = text_in(what, sizeof what);
    if (error == -ENOENT)
        error = PORTMAP_EENDED;
    text_str(&t, run_path);
    if (error == PORTMAP_EUNDECIDED) {
        text_str(&t, ", process ");
        text_uint(&t, (uint64_t)judge);
        die(what, portmap_strerror(error), "let that process go on, or end it");
    }
    die(what, portmap_strerror(error), end_remedy);
}

/* Joins with what the compact variable tells, as no file of the run is in reach. Late placeholders cannot be
 * assigned then. */
static void join_apart(const char *run_path, const char *text, const struct compact *compact)
{
    static const char why[] = "its files are out of reach, so no late placeholder is rewritten";
    if (!compact_read(text, view_assign, &own_view) || !carry_run(run_path, text))
        die(COMPACT_VARIABLE, portmap_strerror(PORTMAP_ESYNTAX), "leave this private variable alone");
    own_view.reveal = compact->reveal;
    if (compact->late && compact->strict)
        die(run_path, why, "let the program see that directory, or list the ports by number");
    if (compact->late)
        warn(run_path, why, "let the program see that directory, or list the ports by number");
}

/* Joins as a process of the run's owner. */
static void join_own(const char *run_path, const struct compact_trap *trap)
{
    char secret[SECRET_SIZE], *head = carry_room();
    int judge = 0, error = files_join_own(&own_map, run_path, head, &judge);
    if (error == 0)
        error = texts_open(&own_map, AT_FDCWD, run_path);
    if (error != 0)
        die_of_run(run_path, error, judge);
    struct text t = text_in(secret, sizeof secret);
    text_str(&t, strrchr(head, '/') + 1);
    use_map(&own_map, run_path, secret, NULL, trap);
}

/* Joins as a process that was told the secret. */
static void join_told(const char *run_path, const char *text)
{
    struct compact compact;
    char *head = carry_room();
    struct text t = text_in(head, PATH_MAX);
    int judge = 0;
    if (!compact_read_head(text, &compact))
        die(COMPACT_VARIABLE, "not written by this version of portshim", end_remedy);
    text_str(&t, run_path);
    text_char(&t, '/');
    text_str(&t, compact.secret);
    int error = t.cut ? -ENAMETOOLONG : files_join(&own_map, head, &judge);
    if (error == 0)
        use_map(&own_map, run_path, compact.secret, text, &compact.trap);
    else if (error == -ENOENT && access(run_path, F_OK) == 0) /* the text is another run's */
        join_own(run_path, &compact.trap);
    else if (error == PORTMAP_EENDED || error == PORTMAP_ETORN || error == PORTMAP_EUNDECIDED ||
             has_ended(run_path))
        die_of_run(run_path, error, judge);
    else
        join_apart(run_path, text, &compact);
}

APART char attach_path[PATH_MAX];

/* Copies the run's path without the slashes at its end: the names of the directories around it are taken from
 * it. */
static const char *copy_path(const char *run_path, size_t length)
{
    struct text t = text_in(attach_path, sizeof attach_path);
    while (length > 1 && run_path[length - 1] == '/')
        length--;
    text_bytes(&t, run_path, length);
    return attach_path;
}

/* `again`: the environment may name the run by the library's own copy of the path, which is written anew. */
static void join(const char *run_path, const char *compact, bool again)
{
    size_t length = strlen(run_path);
    if (*run_path != '/')
        die(run_path, "PORTSHIM_RUN is not an absolute path", end_remedy);
    if (again || run_path[length - 1] == '/')
        run_path = copy_path(run_path, length);
    if (compact != NULL) {
        join_told(run_path, compact);
    } else {
        struct compact_trap trap = by_hand_trap();
        trap.is_on = true; /* for all that is known */
        join_own(run_path, &trap);
    }
}

static void join_by_hand(bool again)
{
    struct run *run = by_hand(environment_get_nonempty(environ, "PORTSHIM_PORTS"),
                              environment_get_nonempty(environ, "PORTSHIM_MAP_FILE"), again);
    const struct compact_trap trap = by_hand_trap();
    join_own(run->path, &trap);
    files_close(run->map);
    by_hand_put_in_environment(carry_run_variable());
}

/* The kernel names the clock of a thread's processor time by the thread's number, which libc knows:
 * CPUCLOCK_PID() in linux/posix-timers.h. That saves a system call at each start of a program. Before glibc
 * 2.34 the function is in libpthread, which this library does not link. */
static pid_t own_pid(void)
{
#if __GLIBC_PREREQ(2, 34)
    clockid_t clock;
    if (once_alone() && pthread_getcpuclockid(pthread_self(), &clock) == 0)
        return ~(clock >> 3);
#endif
    return getpid();
}

static void describe_process(void)
{
    own_view.pid = own_pid();
    own_view.refill = refill;
    own_view.settle = settle;
    own_view.tell = voice_is_quiet(environment_get(environ, "PORTSHIM_QUIET")) ? NULL : tell;
    own_view.program.name = program_invocation_short_name;
}

/* Whether there may be a trap around this process. */
static bool may_be_trapped(const char *text)
{
    struct compact compact;
    return text != NULL && compact_read_head(text, &compact) && compact.trap.is_on;
}

static void read_deepbind(void)
{
    const char *setting = environment_get_nonempty(environ, "PORTSHIM_DEEPBIND");
    attach_keeps_deepbind = setting != NULL && strcmp(setting, "keep") == 0;
    if (setting != NULL && !attach_keeps_deepbind)
        die("PORTSHIM_DEEPBIND", "the one value it can have is keep", "set it to that, or unset it");
}

static void attach_here(bool again)
{
    if (again)
        memset(&own_view, 0, sizeof own_view);
    const char *run_path = environment_get_nonempty(environ, "PORTSHIM_RUN");
    const char *on = environment_get(environ, "PORTSHIM");
    const char *compact = environment_get_nonempty(environ, COMPACT_VARIABLE);
    /* Of the command portshim no call is to be changed: it leases ports and may be a supervisor. */
    bool wanted = (on == NULL || strcmp(on, "0") != 0) && !own_program_is_portshim();
    if (wanted && !environment_is_anothers() && !loaded_second_copy()) {
        describe_process();
        if (!carry_init())
            die("libportshim.so", "its path has a space or colon, which LD_PRELOAD cannot carry", "move it");
        if (run_path != NULL)
            join(run_path, compact, again);
        else
            join_by_hand(again);
        if (may_be_trapped(carry_compact()))
            supervised_may_be();
        read_deepbind();
    } else if (!wanted && may_be_trapped(compact)) {
        supervised_be_exempt();
    }
}

void attach(void)
{
    int saved = errno;
    /* This may take the dynamic linker's lock. A thread in dlopen(3) may hold it while it waits for once().
     */
    loaded_self();
    memory_init();
    once(&attach_done, attach_here, environment_get_nonempty(environ, "PORTSHIM_RUN") != NULL);
    errno = saved;
}

__attribute__((constructor)) static void construct(void)
{
    next();
}
