#include "process/by_hand.h"

#include "base/environment.h"
#include "base/lock.h"
#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "lease/home.h"
#include "lease/pool.h"
#include "process/carry.h"
#include "process/die.h"
#include "run/add.h"
#include "run/find.h"
#include "run/life.h"
#include "run/name.h"
#include "run/portset.h"
#include "run/publish.h"
#include "run/rundir.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

/* What the environment asks for. */
struct by_hand {
    struct home home;
    struct portset ports;
    struct pool pool;
    char file[PATH_MAX];                /* absolute; empty when there is none */
    char session_name[NAME_MAX_LENGTH]; /* names the run when there is no map file */
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
    if (pool_choose(&hand->pool, environ, &problem) != 0)
        die(problem.what, problem.why, problem.remedy);
}

/* The program itself has started without a trap, so that there can be none for the whole run. */
static void check_trap(void)
{
    const char *setting = environment_get_nonempty(environ, "PORTSHIM_TRAP");
    if (setting != NULL && strcmp(setting, "on") == 0)
        die("PORTSHIM_TRAP=on", "it takes effect before the program starts", "use portshim run --trap=on");
    if (setting != NULL && strcmp(setting, "off") != 0 && strcmp(setting, "auto") != 0)
        die("PORTSHIM_TRAP", "it can be auto or off", "set it to one of these, or unset it");
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

/* Without a map file, all processes of a session with the same ports share a run, and find it by this name.
 * Two containers may share a home and have the same session ids: their pid namespaces differ. */
static void name_session(struct by_hand *hand, const char *spec)
{
    struct text t = text_in(hand->session_name, sizeof hand->session_name);
    text_str(&t, "@");
    text_uint(&t, process_pid_namespace());
    text_char(&t, '-');
    text_uint(&t, (uint64_t)getsid(0));
    text_char(&t, '-');
    text_hex(&t, text_hash(TEXT_HASH, spec), 16);
}

/* Attaches to the run that the map file or the session's name stands for; false when none is alive. */
static bool find_by_hand(struct by_hand *hand, struct run *run)
{
    uint64_t run_id = hand->file[0] == '\0' ? name_find(&hand->home, hand->session_name) : 0;
    int error = hand->file[0] == '\0'
                    ? run_id != 0 ? rundir_path(&hand->home, run_id, run->path) : PORTMAP_ENORUN
                    : find_run(&hand->home, hand->file, run->path, &run_id);
    if (error != 0)
        return false;
    error = run_open(run);
    if (error == PORTMAP_ETORN && life_of(&hand->home, run_id) == RUN_ALIVE)
        die(run->path, portmap_strerror(error), "end that run, or use the library of its version");
    if (error != 0)
        return false;
    if (atomic_load(&run->map->head->ready))
        return true;
    files_close(run->map);
    return false;
}

static bool lacks_ports(const struct by_hand *hand, const struct map *map)
{
    for (unsigned port = 0; (port = portset_next_listed(&hand->ports, port)) != 0;)
        if (map_real(map, port) == 0 && map_late_protocols(map, port) == 0)
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

static void join_or_create(struct by_hand *hand, struct run *run)
{
    struct run_problem problem = {0};
    bool found = find_by_hand(hand, run);
    if (found && !lacks_ports(hand, run->map))
        return;
    if (!found && portset_is_empty(&hand->ports))
        die(hand->file, "names no living run, and PORTSHIM_PORTS is not set", "set PORTSHIM_PORTS=8080");
    struct obtain_server server = found ? run_server(run->map, environ) : obtain_server_of(environ, getpid());
    obtain_limit(&server, OBTAIN_BRIEF_MILLISECONDS); /* the program waits for it */
    const struct means means = {
        .home = &hand->home, .pool = &hand->pool, .server = &server, .patience = OBTAIN_PATIENT};
    const struct run_wish wish = {.ports = &hand->ports,
                                  .private_name = hand->file[0] == '\0' ? hand->session_name : NULL,
                                  .files = hand->files};
    int error = found ? run_add(run, &means, wish.ports, &problem) : run_create(run, &means, &wish, &problem);
    if (error != 0)
        die_of_run(&problem, error, &means, &wish);
    if (server.error != 0)
        warn(server.address, portmap_strerror(server.error),
             "ports are leased without this port server; start it, or unset PORTSERVER_ADDRESS");
}

/* Joins the run, without a lock, if it is alive and has all ports that are asked for. */
static bool find_complete(struct by_hand *hand, struct run *run)
{
    if (!find_by_hand(hand, run))
        return false;
    if (!lacks_ports(hand, run->map))
        return true;
    files_close(run->map);
    return false;
}

/* Of processes that start at the same time for the same run, the first makes it and the others join it. */
static void join_in_turn(struct by_hand *hand, struct run *run)
{
    int lock = home_lock_by_hand(&hand->home, hand->file[0] == '\0' ? hand->session_name : hand->file);
    if (lock < 0)
        die(hand->home.path, lock_strerror(lock), home_remedy(lock));
    join_or_create(hand, run);
    close(lock);
}

struct run *by_hand(const char *spec, const char *file, bool again)
{
    static struct by_hand hand; /* 30 KiB: too much for the stack of some threads */
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
    check_trap();
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
    return &run;
}

struct compact_trap by_hand_trap(void)
{
    static const char *const places[] = {"portshim", "../bin/portshim", "../../bin/portshim"};
    static char command[PATH_MAX];
    const char *library = carry_library(), *setting = environment_get_nonempty(environ, "PORTSHIM_TRAP");
    struct compact_trap trap = {.is_off = setting != NULL && strcmp(setting, "off") == 0};
    for (unsigned i = 0; i < sizeof places / sizeof *places && trap.command == NULL; i++) {
        struct text t = text_in(command, sizeof command);
        text_bytes(&t, library, (size_t)(strrchr(library, '/') + 1 - library));
        text_str(&t, places[i]);
        if (t.cut || access(command, X_OK) < 0)
            continue;
        trap.command = command;
        trap.command_length = t.used;
    }
    return trap;
}

void by_hand_put_in_environment(char *variable)
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
    grown[count] = variable;
    environ = grown;
}
