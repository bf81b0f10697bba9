#include "attach.h"

#include "carry.h"
#include "compact.h"
#include "copies.h"
#include "dlopen.h"
#include "environment.h"
#include "error.h"
#include "find.h"
#include "home.h"
#include "kind.h"
#include "loaded.h"
#include "local.h"
#include "map.h"
#include "memory.h"
#include "name.h"
#include "once.h"
#include "pool.h"
#include "portset.h"
#include "process.h"
#include "publish.h"
#include "refill.h"
#include "run.h"
#include "run_add.h"
#include "rundir.h"
#include "sighting.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct view own_view;

_Atomic uint32_t attach_done;

enum { FAILURE = 125 };

/* A variable may have 128 KiB: what of it is longer than a path is cut. */
static void say(const char *kind, const char *what, const char *why, const char *remedy)
{
    char line[PATH_MAX + 576];
    problem_write(line, sizeof line, kind, what, why, remedy);
}

_Noreturn static void die(const char *what, const char *why, const char *remedy)
{
    say("", what, why, remedy);
    _exit(FAILURE);
}

/* The runs around this one; one that has ended took its late assignments along, which is no reason to stop.
 */
static void add_outer(const struct map *inner)
{
    const char *outer;
    struct map *map;
    while ((outer = map_about(inner, MAP_ABOUT_OUTER, 0)) != NULL && map_attach(&map, outer) == 0) {
        if (!view_add_map(&own_view, map)) {
            if (atomic_load(&map->grows)) /* what is known at start was inherited, the rest would be lost */
                die(outer, "too many runs are inside of this one, which has late placeholders",
                    "nest fewer runs");
            map_detach(map);
            return;
        }
        inner = map;
    }
}

static void use_map(struct map *map, const char *run_path)
{
    view_add_map(&own_view, map);
    add_outer(map);
    if (!carry_map(run_path, map))
        die(run_path, "too many placeholders for one environment variable", "list fewer, or use all");
    view_log(&own_view, MAP_EVENT_ATTACH, 0, 0, 0);
}

/*
 * Whether the run directory is missing although the place where it was can be looked into: then the run is
 * over, and its ports may be others'. After chroot or in another mount namespace that place is missing as
 * well.
 */
static bool has_ended(const char *run_path)
{
    char runs[PATH_MAX];
    struct text t = text_in(runs, sizeof runs);
    text_bytes(&t, run_path, (size_t)(strrchr(run_path, '/') - run_path));
    return access(run_path, F_OK) < 0 && errno == ENOENT && access(runs, R_OK | X_OK) == 0;
}

static void join(const char *run_path, const char *compact)
{
    static const char remedy[] = "start a new run, or unset PORTSHIM_RUN and LD_PRELOAD";
    struct map *map;
    if (*run_path != '/')
        die(run_path, "PORTSHIM_RUN is not an absolute path", remedy);
    int error = map_attach(&map, run_path);
    if (error == 0)
        use_map(map, run_path);
    else if (error == PORTMAP_EENDED || error == PORTMAP_ETORN || compact == NULL || has_ended(run_path))
        die(run_path, error == -ENOENT ? portmap_strerror(PORTMAP_EENDED) : portmap_strerror(error), remedy);
    else if (!compact_read(compact, view_assign, &own_view, &own_view.reveal) ||
             !carry_run(run_path, compact))
        die(COMPACT_VARIABLE, portmap_strerror(PORTMAP_ESYNTAX), "leave this private variable alone");
}

/* What was asked for by hand. */
struct by_hand {
    struct home home;
    struct portset ports;
    struct pool pool;
    char file[PATH_MAX];                /* absolute; empty when there is none */
    char session_name[NAME_MAX_LENGTH]; /* identity where there is no map file */
    const char *files[2];
};

static void parse_ports(struct by_hand *hand, const char *spec)
{
    struct problem problem;
    if (spec != NULL && portset_add(&hand->ports, spec, &problem) != 0)
        die(problem.what, problem.why, problem.remedy);
    if (spec != NULL && portset_is_empty(&hand->ports))
        die("PORTSHIM_PORTS", "every port in it is excluded", "name a placeholder");
}

static void parse_pool(struct by_hand *hand)
{
    struct problem problem;
    if (pool_load(&hand->pool, environ, &problem) != 0)
        die(problem.what, problem.why, problem.remedy);
}

static void absolute_file(struct by_hand *hand, const char *file)
{
    if (file == NULL)
        return;
    if (find_is_anothers_file(file))
        die(file, "another user's map file", "let PORTSHIM_MAP_FILE name one of this user's own");
    int error = publish_path(file, hand->file);
    if (error == PORTMAP_EFOREIGN)
        die(file, "another user's link in a directory where everybody may make one",
            "let PORTSHIM_MAP_FILE name another file");
    if (error != 0)
        die("PORTSHIM_MAP_FILE", portmap_strerror(error), "use a short, absolute path");
    hand->files[0] = hand->file;
}

/* Without a map file all processes of a session with the same ports share a run. Containers that share a home
 * number their sessions alike: the pid namespace tells them apart. FNV-1a, 64 bits. */
static void name_session(struct by_hand *hand, const char *spec)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    struct text t = text_in(hand->session_name, sizeof hand->session_name);
    for (; *spec != '\0'; spec++)
        hash = (hash ^ (unsigned char)*spec) * UINT64_C(0x100000001b3);
    text_str(&t, "@");
    text_uint(&t, process_pid_namespace());
    text_char(&t, '-');
    text_uint(&t, (uint64_t)getsid(0));
    text_char(&t, '-');
    text_hex(&t, hash, 16);
}

/* The run that the map file or the session stands for, attached; false when there is none alive. */
static bool find_by_hand(struct by_hand *hand, struct run *run)
{
    uint64_t run_id = hand->file[0] == '\0' ? name_find(&hand->home, hand->session_name) : 0;
    int error = hand->file[0] == '\0'
                    ? run_id != 0 ? rundir_path(&hand->home, run_id, run->path) : PORTMAP_ENORUN
                    : find_run(&hand->home, hand->file, run->path, &run_id);
    if (error != 0 || map_attach(&run->map, run->path) != 0)
        return false;
    if (atomic_load(&run->map->ready))
        return true;
    map_detach(run->map);
    return false;
}

static bool lacks_ports(const struct by_hand *hand, const struct map *map)
{
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if (portset_listed(&hand->ports, port) != 0 && map_real(map, port) == 0 &&
            map_late_protocols(map, port) == 0)
            return true;
    return false;
}

_Noreturn static void die_of_run(const struct run_problem *failed, int error, const struct means *means,
                                 const struct run_wish *wish)
{
    struct problem problem;
    if (failed->step == RUN_STEP_FILE)
        die(failed->file, portmap_strerror(error), "let PORTSHIM_MAP_FILE name another file");
    run_explain(failed, error, means, wish, &problem);
    die(problem.what, problem.why, problem.remedy);
}

/* The one change to the program's environment: its children, and it itself, can see which run this is. */
static void put_run_in_environment(void)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    char **grown =
        mmap(NULL, (count + 2) * sizeof *grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (grown == MAP_FAILED)
        die("the environment", strerror(errno), "free some memory");
    if (count > 0)
        memcpy(grown, environ, count * sizeof *grown);
    grown[count] = carry_run_variable();
    environ = grown;
}

static void join_or_create(struct by_hand *hand, struct run *run)
{
    struct run_problem problem = {0};
    bool found = find_by_hand(hand, run);
    if (found && !lacks_ports(hand, run->map))
        return;
    if (!found && portset_is_empty(&hand->ports))
        die(hand->file, "names no living run, and PORTSHIM_PORTS is not set", "set PORTSHIM_PORTS=8080");
    struct obtain_server server = found ? run_server(run->map, environ) : obtain_server_of(environ, getpid());
    obtain_limit(&server, OBTAIN_BRIEF_MILLISECONDS); /* the program waits meanwhile */
    const struct means means = {
        .home = &hand->home, .pool = &hand->pool, .server = &server, .patience = OBTAIN_PATIENT};
    const struct run_wish wish = {.ports = &hand->ports,
                                  .private_name = hand->file[0] == '\0' ? hand->session_name : NULL,
                                  .files = hand->files};
    int error = found ? run_add(run, &means, wish.ports, &problem) : run_create(run, &means, &wish, &problem);
    if (error != 0)
        die_of_run(&problem, error, &means, &wish);
    if (server.error != 0)
        say("warning: ", server.address, portmap_strerror(server.error),
            "ports are leased without this port server; start it, or unset PORTSERVER_ADDRESS");
}

/* A run that is there, with all that is asked for, needs no lock. */
static bool find_complete(struct by_hand *hand, struct run *run)
{
    if (!find_by_hand(hand, run))
        return false;
    if (!lacks_ports(hand, run->map))
        return true;
    map_detach(run->map);
    return false;
}

/* Of those who begin with one identity at once, the first makes the run that the others join. */
static void join_in_turn(struct by_hand *hand, struct run *run)
{
    int lock = home_lock_by_hand(&hand->home, hand->file[0] == '\0' ? hand->session_name : hand->file);
    if (lock < 0)
        die(hand->home.path, portmap_strerror(lock),
            "set PORTSHIM_HOME to a private directory that can be written");
    join_or_create(hand, run);
    close(lock);
}

static void by_hand(const char *spec, const char *file, bool again)
{
    static struct by_hand hand; /* 30 KiB, which a small thread's stack may not have */
    static struct run run;
    if (spec == NULL && file == NULL)
        die("no ports", "neither PORTSHIM_RUN nor PORTSHIM_PORTS is set",
            "set PORTSHIM_PORTS=8080, or PORTSHIM=0");
    if (again) {
        memset(&hand, 0, sizeof hand);
        memset(&run, 0, sizeof run);
    }
    parse_ports(&hand, spec);
    parse_pool(&hand);
    absolute_file(&hand, file);
    if (file == NULL)
        name_session(&hand, spec);
    int error = home_open(&hand.home, environ);
    if (error != 0)
        die(hand.home.path, portmap_strerror(error),
            "set PORTSHIM_HOME to a private directory that can be written");
    if (!find_complete(&hand, &run))
        join_in_turn(&hand, &run);
    home_close(&hand.home);
    use_map(run.map, run.path);
    put_run_in_environment();
}

static void describe_process(void)
{
    struct stat st;
    own_view.pid = getpid();
    own_view.refill = refill;
    own_view.program.name = program_invocation_short_name;
    if (stat("/proc/self/exe", &st) == 0) {
        own_view.program.device = sighting_device(&st);
        own_view.program.inode = st.st_ino;
    }
}

static void attach_here(bool again)
{
    if (again)
        memset(&own_view, 0, sizeof own_view);
    const char *run_path = environment_get_nonempty(environ, "PORTSHIM_RUN");
    const char *on = environment_get(environ, "PORTSHIM");
    bool wanted = on == NULL || strcmp(on, "0") != 0;
    if (wanted && !environment_is_anothers() && !loaded_second_copy()) {
        describe_process();
        if (!carry_init())
            die("libportshim.so", "its path has a space or colon, which LD_PRELOAD cannot carry", "move it");
        if (run_path != NULL)
            join(run_path, environment_get_nonempty(environ, COMPACT_VARIABLE));
        else
            by_hand(environment_get_nonempty(environ, "PORTSHIM_PORTS"),
                    environment_get_nonempty(environ, "PORTSHIM_MAP_FILE"), again);
        if (!dlopen_init(environment_get_nonempty(environ, "PORTSHIM_DEEPBIND")))
            die("PORTSHIM_DEEPBIND", "the one value it can have is keep", "set it to that, or unset it");
        local_init();
        kind_init(&own_view);
        copies_tell();
    }
}

void attach(void)
{
    int saved = errno;
    /* All take the dynamic linker's lock, which a thread that waits for us may hold: it is in dlopen(3). */
    next_resolve();
    loaded_self();
    memory_init();
    carry_find_library();
    once(&attach_done, attach_here);
    errno = saved;
}

__attribute__((constructor)) static void construct(void)
{
    next();
}
