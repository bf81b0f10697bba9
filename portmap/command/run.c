/* portshim run: makes or joins a run, then becomes the command, or stays as its parent. */
#include "run/run.h"
#include "base/text.h"
#include "command/command.h"
#include "command/ending.h"
#include "command/launch.h"
#include "command/library.h"
#include "command/run_options.h"
#include "command/supervise.h"
#include "command/trapping.h"
#include "error.h"
#include "observe/holders.h"
#include "run/add.h"
#include "run/elder.h"
#include "run/find.h"
#include "run/keyed.h"
#include "run/late.h"
#include "run/life.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/sighting.h"
#include "run/supervisors.h"
#include "run/voice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* The command's program, and how it is started. */
struct wrapped {
    struct reach program;
    const struct obstacle *obstacle; /* why the library does not reach it; NULL: it does */
    enum run_trap trap;              /* as the options say */
    bool is_trapped;
};

/* Whether the environment turns portshim off for the command. */
static bool is_off(void)
{
    const char *flag = secure_getenv("PORTSHIM");
    return flag != NULL && strcmp(flag, "0") == 0;
}

static void find_command(struct wrapped *wrapped, const struct run_options *options)
{
    command_find_program(options->command[0], &wrapped->program);
    wrapped->obstacle = reach_obstacle(wrapped->program.kind, wrapped->program.is_privileged);
    wrapped->trap = options->trap;
    bool wants = options->trap == RUN_TRAP_ON ||
                 (options->trap == RUN_TRAP_AUTO && reach_wants_trap(&wrapped->program));
    wrapped->is_trapped = wants && !is_off();
    if (!wrapped->is_trapped)
        command_check_class(&wrapped->program);
}

/* Whether the program would be trapped if the options did not turn that off. */
static bool is_switched_off(const struct wrapped *wrapped)
{
    return wrapped->trap == RUN_TRAP_OFF && reach_wants_trap(&wrapped->program);
}

/* What helps where the program is not wrapped. */
static const char *remedy_of(const struct wrapped *wrapped)
{
    return is_switched_off(wrapped) ? "use --trap=auto" : wrapped->obstacle->remedy;
}

/* Fails when the run is strict and the program cannot be wrapped. `strict` may be this run's, that of the run
 * to join, or that of the outer run. */
static void check_strict(bool strict, const struct wrapped *wrapped)
{
    if (strict && wrapped->obstacle != NULL && !wrapped->is_trapped)
        command_fail(wrapped->obstacle->why, remedy_of(wrapped), "%s", wrapped->program.path);
}

static void warn_of_unwrapped(const struct wrapped *wrapped)
{
    const char *why = wrapped->obstacle->why, *remedy = remedy_of(wrapped), *path = wrapped->program.path;
    if (reach_refuses_library(&wrapped->program))
        command_warn(why, remedy, "the ports of %s and of programs it starts stay as they are", path);
    else
        command_warn(why, remedy,
                     "the ports of %s stay as they are, those of programs it starts are rewritten", path);
}

/* Warns of what will not be rewritten, and of what the trap takes from an ordinary user. */
static void warn_of_command(const struct wrapped *wrapped)
{
    if (is_off())
        command_warn("no port will be rewritten", "unset it", "PORTSHIM=0 is set");
    else if (wrapped->obstacle != NULL && !wrapped->is_trapped)
        warn_of_unwrapped(wrapped);
    if (wrapped->trap == RUN_TRAP_ON && wrapped->is_trapped && trapping_takes_privileges())
        command_warn("an ordinary user cannot have a trap without that",
                     "use --trap=auto where they are needed",
                     "sudo, su and other set-user-ID programs get no rights in this run");
}

/* Notes in a map how the program is started, and that warn_of_command() tells it unless `quiet`. */
static void note_command(struct map *map, const struct wrapped *wrapped, bool quiet)
{
    if (wrapped->is_trapped && wrapped->obstacle != NULL) {
        sighting_trapped(map, &wrapped->program);
        return;
    }
    _Atomic uint64_t *word = sighting_untrapped(map, &wrapped->program,
                                                is_switched_off(wrapped) ? UNTRAPPED_OFF : UNTRAPPED_UNSAID);
    if (!quiet && !is_off())
        voice_count_told(map, word, SPEAKER_SELF);
}

/* Fails because a port could not be leased, and says who has it, or who has the pool's ports. */
_Noreturn static void fail_of_port(const struct means *means, const struct portset *ports,
                                   const struct run_problem *failed, int error, struct problem *problem)
{
    if (means->server->required)
        command_check_server(means->server, false);
    char why[1280], held[1024];
    unsigned listed = portset_count(ports), needs = listed < PORTSET_START ? listed : PORTSET_START;
    if (failed->placeholder == 0)
        needs += MAP_STOCK;
    if (error == PORTMAP_EXHAUSTED && needs > means->pool->count) {
        snprintf(why, sizeof why, "pool exhausted: it has %u ports, the run needs %u", means->pool->count,
                 needs);
        command_fail(why, "list fewer placeholders, or widen PORTSHIM_POOL", "%s", problem->what);
    }
    if (error == PORTMAP_EXHAUSTED) {
        problem->remedy = holders_explain(means->home, means->pool, why, sizeof why);
        problem->why = why;
    } else if (failed->real != 0 && (error == PORTMAP_EHELD || error == PORTMAP_EINUSE)) {
        holders_describe_port(means->home, failed->real, held, sizeof held);
        snprintf(why, sizeof why, "held by %s", held);
        problem->why = why;
    }
    command_fail_of(problem);
}

_Noreturn static void fail_of_run(const struct means *means, const struct run_wish *wish,
                                  const struct run_problem *failed, int error)
{
    struct problem problem;
    run_explain(failed, error, means, wish, &problem);
    if (failed->step == RUN_STEP_PORT)
        fail_of_port(means, wish->ports, failed, error, &problem);
    command_fail_of(&problem);
}

/*
 * The directory of the run in which this command was started, NULL when there is none. Stays attached to that
 * run until exec: this process may be its last.
 */
static const char *outer_run(const struct home *home, bool quiet, const struct wrapped *wrapped)
{
    static char path[PATH_MAX], head[PATH_MAX];
    static struct map map;
    int judge;
    uint64_t run_id;
    const char *outer = secure_getenv("PORTSHIM_RUN");
    if (outer == NULL || *outer == '\0')
        return NULL;
    int error = find_run(home, outer, path, &run_id);
    if (error == 0)
        error = files_join_own(&map, path, head, &judge);
    if (error == 0) {
        check_strict(map.head->strict, wrapped);
        note_command(&map, wrapped,
                     quiet); /* a program started in the inner run is one of the outer run, too */
        return path;
    }
    if (!quiet)
        command_warn(error == -ENOENT ? portmap_strerror(PORTMAP_EENDED) : portmap_strerror(error),
                     "unset PORTSHIM_RUN, or start it in a living run",
                     "PORTSHIM_RUN=%s is not this run's outer one", outer);
    return NULL;
}

static void start(struct run *run, const struct means *means, const struct run_wish *wish)
{
    struct run_problem problem = {0};
    int error = run_create(run, means, wish, &problem);
    if (error != 0)
        fail_of_run(means, wish, &problem, error);
}

/* As run_add(), with signals blocked: one that came meanwhile ends this process, after the added ports were
 * taken back from the run. */
static int add(struct run *run, const struct means *means, const struct portset *ports,
               struct run_problem *problem)
{
    struct means until_told = *means;
    until_told.stop = command_must_end;
    command_hold_signals();
    int error = run_add(run, &until_told, ports, problem);
    if (error == 0 && command_must_end())
        run_take_back(run, means->home);
    command_let_signals();
    return error;
}

static void join(struct run *run, const struct run_options *options, const struct means *means,
                 const struct run_wish *wish, const struct wrapped *wrapped)
{
    static const char remedy[] = "name a living run, its directory or its map file";
    struct run_problem problem = {0};
    uint64_t run_id;
    bool is_name = name_is_valid(options->join) && name_find(means->home, options->join) != 0;
    if (!is_name && find_is_anothers_file(options->join))
        command_fail("another user's map file", "name the run, its directory or a file of this user's own",
                     "run %s", options->join);
    int error = find_run(means->home, options->join, run->path, &run_id);
    if (error == 0 && life_settled(means->home, run_id) != RUN_ALIVE)
        error = PORTMAP_EENDED;
    if (error == 0)
        error = run_open(run);
    if (error == -ENOENT)
        error = elder_is(means->home, run_id) ? PORTMAP_ETORN : PORTMAP_EENDED;
    if (error != 0)
        command_fail_of_run(means->home, options->join, error, remedy);
    check_strict(run->map->head->strict, wrapped);
    means->server->required = means->server->required || run_server(run->map, environ).required;
    if (options->source[RUN_PORTS] != RUN_FROM_DEFAULT)
        error = add(run, means, wish->ports, &problem);
    if (error != 0)
        fail_of_run(means, wish, &problem, error);
    run_refill(run, means);
    if (means->server->required && means->server->error != 0)
        run_take_back(run, means->home);
}

static int set_variable(const char *assignment, void *context)
{
    (void)context;
    return putenv(strdup(assignment)) == 0 ? 0 : -errno;
}

/* Takes the variables of placeholders of this run out of the environment: they tell an outer run's ports. */
static void forget_variables(const struct map *map)
{
    static const char variable[] = "PORTSHIM_PORT_";
    char **to = environ;
    for (char **from = environ; *from != NULL; from++) {
        const char *number = *from + sizeof variable - 1;
        uint64_t port;
        bool is_ours = strncmp(*from, variable, sizeof variable - 1) == 0 &&
                       text_take_uint(&number, strchr(*from, '\0'), PORT_COUNT - 1, &port) && *number == '=';
        if (!is_ours || map_protocols(map, (unsigned)port) == 0)
            *to++ = *from;
    }
    *to = NULL;
}

static void set_environment(struct run *run, const struct home *home, const char *library,
                            const struct wrapped *wrapped)
{
    if (!library_enter_run(library, run, &(struct compact_trap){.is_off = wrapped->trap == RUN_TRAP_OFF})) {
        run_take_back(run, home);
        command_fail("too many placeholders for one environment variable", "list fewer, or use all", "run");
    }
    if (reach_refuses_library(&wrapped->program))
        library_leave_out();
    forget_variables(run->map);
    if (publish_variables(run->map, PUBLISH_VARIABLES, set_variable, NULL) != 0)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the environment");
}

/* Says by which way the command is wrapped. */
static void tell_way(const struct wrapped *wrapped)
{
    const struct obstacle *obstacle = wrapped->obstacle;
    const char *why = is_off() ? "PORTSHIM=0 is set" : obstacle != NULL ? obstacle->why : NULL;
    const char *way = wrapped->is_trapped
                          ? obstacle == NULL ? "wrapped by library and trap" : "wrapped by the trap"
                      : why == NULL ? "wrapped by the library"
                                    : "not wrapped";
    fprintf(stderr, "portshim: %s: %s%s%s\n", wrapped->program.path, way, why != NULL ? ": " : "",
            why != NULL ? why : "");
}

/* Says of a placeholder that it has not the port that the run's key wanted, and who has that. */
static void tell_unkeyed(const struct run *run, const struct home *home, unsigned placeholder)
{
    char holder[256];
    unsigned wanted = keyed_wanted(run->map, placeholder);
    if (wanted == 0) {
        fprintf(stderr, ", not the key's port");
        return;
    }
    holders_describe_port(home, wanted, holder, sizeof holder);
    /* A port server may have leased it to another user. */
    if (strcmp(holder, "nobody") == 0)
        fprintf(stderr, ", not the key's port: %u was taken", wanted);
    else
        fprintf(stderr, ", not the key's port: %u is held by %s", wanted, holder);
}

static void tell(const struct run *run, const struct home *home, const struct wrapped *wrapped)
{
    static const char *const protocols[] = {"", "/tcp", "/udp", ""};
    struct portbits assigned;
    publish_assigned(run->map, &assigned);
    const char *name = name_given(run->map);
    fprintf(stderr, "portshim: run %s%s%s\n", run->path, name != NULL ? ", name " : "",
            name != NULL ? name : "");
    tell_way(wrapped);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        uint32_t entry = map_to_kernel(run->map, port);
        fprintf(stderr, "portshim: %u%s -> %u", port, protocols[map_entry_protocols(entry)],
                map_entry_port(entry));
        if (keyed_is(run->map, port) == KEYED_MISSED)
            tell_unkeyed(run, home, port);
        fputc('\n', stderr);
    }
    if (run->map->head->has_late)
        fprintf(stderr, "portshim: others when they are first bound\n");
}

/* Warns of ports that were in use and are no placeholders, where that was not told at once (run/voice.h): the
 * list of ports may lack them. */
static void warn_of_unlisted(const struct map *map)
{
    struct sighting s;
    char remedy[32];
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_REFUSED || s.is_told)
            continue;
        snprintf(remedy, sizeof remedy, "add -p %u", s.port);
        command_warn("in use, and not listed", remedy, "port %u, wanted by %s", s.port,
                     sighting_program_name(map, s.program).text);
    }
}

_Noreturn static void fail_of_unwrapped(const struct map_program *program)
{
    bool in_part;
    const struct obstacle *of_trap = sighting_trap_obstacle(program, &in_part);
    const struct obstacle *obstacle = of_trap != NULL ? of_trap : sighting_obstacle(program);
    char why[256];
    snprintf(why, sizeof why, "%s (%s), and was started in the run",
             in_part ? "not all of its calls can be rewritten" : "it cannot be wrapped", obstacle->why);
    command_fail(why, obstacle->remedy, "program %s", program->name);
}

/* --require-bind: fails when no placeholder was bound, or a program was started that cannot be wrapped. */
static void check_bound(const struct run *run, const struct run_options *options)
{
    unsigned n = 0;
    struct map_program program;
    if (supervisors_killed(run->map) > 0)
        command_fail("a supervisor of its programs was killed", "start it again", "run %s", run->path);
    if (sighting_unhookable(run->map, &n, &program))
        fail_of_unwrapped(&program);
    if (!map_any_bound(run->map))
        command_fail("none of them was bound", "compare -p with portshim ports -- COMMAND", "placeholders %s",
                     options->ports_text != NULL ? options->ports_text : "of the run");
}

/* Becomes the command, or with --require-bind stays as its parent. Returns only when the command could not be
 * started. */
static void execute(const struct run *run, const struct run_options *options, const struct launch *command,
                    struct launch_failure *failure)
{

    /* The process that has made the run lives on as the command, and needs no note; any other is in nobody's
     * sight until it joins. */
    if (options->join != NULL || options->require_bind)
        map_note_exec(run->map);
    if (!options->require_bind) {
        trapping_at_end(ending_of_trapped);
        launch(command, failure);
        return;
    }
    int status = supervise(command, failure);
    if (failure->error != 0)
        return;
    ending_of_command(status);
    if (!options->quiet)
        warn_of_unlisted(run->map);
    check_bound(run, options);
    ending_record();
    supervise_end(status);
}

static void print_check(const struct run_options *options, struct pool *pool, const char *library)
{
    const char *server = secure_getenv("PORTSERVER_ADDRESS"), *home = secure_getenv("PORTSHIM_HOME");
    struct home opened;
    command_load_pool(pool, options->quiet);
    run_options_print(options);
    command_open_home(&opened);
    printf("# pool: %u ports  # %s\n", pool->count, pool_source(environ));
    printf("# home: %s  # %s\n", opened.path, home != NULL && *home != '\0' ? "PORTSHIM_HOME" : "default");
    printf("# library: %s  # %s\n", library,
           secure_getenv("PORTSHIM_LIB") != NULL ? "PORTSHIM_LIB" : "default");
    if (server != NULL && *server != '\0')
        printf("# port server: %s  # PORTSERVER_ADDRESS\n", server);
    else
        printf("# port server: none  # default\n");
    exit(command_printed(EXIT_SUCCESS));
}

/* Makes the run, or joins one, as the options say. */
static void begin(struct run *run, const struct run_options *options, const struct means *means,
                  const struct wrapped *wrapped)
{
    struct run_wish wish = {.ports = &options->ports,
                            .name = options->name,
                            .name_may_vary = options->source[RUN_NAME] == RUN_FROM_FOUND_FILE,
                            .files = (const char *const *)options->files,
                            .command = command_line(options->command),
                            .key = options->key,
                            .reveal = options->reveal,
                            .strict = options->strict};
    if (options->join != NULL) {
        join(run, options, means, &wish, wrapped);
        return;
    }
    wish.outer = outer_run(means->home, options->quiet, wrapped);
    start(run, means, &wish);
    if (!options->quiet)
        voice_take(run->map->head);
}

int command_run(int argc, char **argv)
{
    static struct run_options options;
    static struct run run;
    static struct wrapped wrapped;
    static struct launch_failure failure;
    static struct ending ending = {.run = &run};
    struct home home;
    struct pool pool;
    char library[PATH_MAX];
    run_options_read(&options, argc, argv);
    ending.name = options.name;
    ending.files = (const char *const *)options.files;
    ending.command = options.command;
    if (options.join == NULL && !options.check)
        ending_watch(&ending);
    if (*options.command != NULL) {
        find_command(&wrapped, &options);
        check_strict(options.strict, &wrapped);
    }
    library_find(library);
    command_choose_pool(&pool);
    struct obtain_server server = command_port_server(getpid(), options.require_server);
    if (options.check)
        print_check(&options, &pool, library);
    command_open_home(&home);
    const struct means means = {.home = &home, .pool = &pool, .server = &server, .patience = OBTAIN_PATIENT};
    begin(&run, &options, &means, &wrapped);
    command_check_server(&server, options.quiet);
    trapping_announce_run();
    set_environment(&run, &home, library, &wrapped);
    note_command(run.map, &wrapped, options.quiet);
    if (!options.quiet) {
        command_warn_of_pool(&pool);
        warn_of_command(&wrapped);
    }
    if (options.verbose)
        tell(&run, &home, &wrapped);
    const struct launch command = {.words = options.command,
                                   .program = wrapped.program.path,
                                   .map = run.map,
                                   .is_trapped = wrapped.is_trapped};
    execute(&run, &options, &command, &failure);
    ending_of_discarded(launch_status(&failure));
    if (options.join == NULL)
        run_discard(&run, &home);
    else
        run_take_back(&run, &home);
    launch_end(&command, &failure);
}
