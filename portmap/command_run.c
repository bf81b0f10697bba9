/* portshim run: makes or joins a run, then becomes the command. */
#include "command.h"
#include "compact.h"
#include "error.h"
#include "find.h"
#include "holders.h"
#include "library.h"
#include "name.h"
#include "program.h"
#include "publish.h"
#include "run.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FILES = 16 };

static const char help[] =
    "usage: portshim run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND so that each placeholder port it binds becomes a free real port, for it and all it "
    "starts.\n"
    "\n"
    "  -p, --ports PORTS   placeholders: 8080, 8000-8010, 53/udp, 80=18080, all, !22; comma-separated,\n"
    "                      repeatable; default: PORTSHIM_PORTS\n"
    "  -n, --name NAME     name the run\n"
    "  -j, --join RUN      join a run, given by name, directory or map file; with -p add placeholders to it\n"
    "  -m, --map FILE      publish the map: .json, .env or plain \"PLACEHOLDER REAL\" lines; repeatable\n"
    "      --require-portserver\n"
    "                      no lease without the port server of PORTSERVER_ADDRESS\n"
    "      --reveal        let the command see real ports in its own addresses\n"
    "  -v, --verbose       say on stderr what will be rewritten\n"
    "  -q, --quiet         no warnings\n"
    "  -h, --help          print this\n"
    "\n"
    "The command finds PORTSHIM_RUN and PORTSHIM_PORT_<placeholder> in its environment.\n"
    "Exit status: the command's own; 125 when portshim failed, 126 when COMMAND cannot be executed, 127 when "
    "it\n"
    "is not found.\n";

static const char see_help[] = "see portshim run --help";

struct options {
    struct portset ports;
    bool have_ports, reveal, require_server, verbose, quiet;
    const char *name, *join;
    char *files[MOST_FILES + 1]; /* absolute */
    unsigned file_count;
    char **command;
};

static char *absolute_path(const char *path)
{
    char absolute[PATH_MAX];
    struct text t = text_in(absolute, sizeof absolute);
    if (*path == '\0')
        command_fail("the name is empty", "name a file", "map file");
    int error = text_path(&t, path);
    char *result = error == 0 ? strdup(absolute) : NULL;
    if (result == NULL)
        command_fail(portmap_strerror(error != 0 ? error : -ENOMEM), "use a short, absolute path",
                     "map file %s", path);
    return result;
}

static void add_file(struct options *options, const char *path)
{
    char *absolute = absolute_path(path);
    for (unsigned i = 0; i < options->file_count; i++)
        if (strcmp(options->files[i], absolute) == 0)
            return;
    if (options->file_count == MOST_FILES)
        command_fail("more than 16 are given", "publish fewer", "map file %s", path);
    options->files[options->file_count++] = absolute;
}

static void add_ports(struct options *options, const char *spec)
{
    command_add_ports(&options->ports, spec);
    options->have_ports = true;
}

static void parse_options(struct options *options, int argc, char **argv)
{
    enum { REVEAL = 256, REQUIRE_PORTSERVER };
    static const struct option words[] = {{"ports", required_argument, NULL, 'p'},
                                          {"name", required_argument, NULL, 'n'},
                                          {"join", required_argument, NULL, 'j'},
                                          {"map", required_argument, NULL, 'm'},
                                          {"reveal", no_argument, NULL, REVEAL},
                                          {"require-portserver", no_argument, NULL, REQUIRE_PORTSERVER},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "+p:n:j:m:vqh", words, NULL)) != -1;) {
        switch (option) {
        case 'p':
            add_ports(options, optarg);
            break;
        case 'n':
            options->name = optarg;
            break;
        case 'j':
            options->join = optarg;
            break;
        case 'm':
            add_file(options, optarg);
            break;
        case REVEAL:
            options->reveal = true;
            break;
        case REQUIRE_PORTSERVER:
            options->require_server = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            command_help(help);
        default:
            command_bad_option(argv, see_help);
        }
    }
    options->command = argv + optind;
}

static void check_options(struct options *options)
{
    const char *from_environment = getenv("PORTSHIM_PORTS");
    if (*options->command == NULL)
        command_fail("nothing to run", "name one after the options", "command");
    if (!options->have_ports && options->join == NULL && from_environment != NULL &&
        *from_environment != '\0')
        add_ports(options, from_environment);
    if (!options->have_ports && options->join == NULL)
        command_fail("no ports are given", "name placeholders with -p, such as -p 8080", "run");
    if (options->have_ports && portset_is_empty(&options->ports))
        command_fail("every one of them is excluded", "name a placeholder", "ports");
    if (options->name != NULL && !name_is_valid(options->name))
        command_fail("not a name", "use up to 64 letters, digits, dots, dashes and underscores",
                     "run name \"%s\"", options->name);
    if (options->join != NULL && options->name != NULL)
        command_fail("a run that is joined has its name already", "leave -n away", "run name \"%s\"",
                     options->name);
    if (options->join != NULL && options->reveal)
        command_fail("it is a matter of the whole run", "give it when the run is started",
                     "--reveal with -j");
    if (options->join != NULL && options->file_count > 0)
        command_fail("a run publishes where it was told to at its start", "give it when the run is started",
                     "map file %s", options->files[0]);
}

/* This very command, which is static and binds nothing: a run inside a run. */
static bool is_portshim(const char *file)
{
    struct stat own, other;
    return stat("/proc/self/exe", &own) == 0 && stat(file, &other) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

/* Whatever the library will not reach is said before it starts. */
static void check_command(const struct options *options)
{
    char path[PATH_MAX];
    struct program program;
    const char *command = options->command[0];
    int error = program_find(command, path);
    if (error != 0)
        command_end(error == -ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE, portmap_strerror(error),
                    "name a program", "%s", command);
    program_inspect(path, &program);
    if (program.kind == PROGRAM_WRONG_CLASS)
        command_fail("of another ELF class or machine than libportshim.so",
                     "set PORTSHIM_LIB to a library of its kind", "%s", program.file);
    if (options->quiet)
        return;
    const char *flag = getenv("PORTSHIM");
    if (flag != NULL && strcmp(flag, "0") == 0)
        command_warn("no port will be rewritten", "unset it", "PORTSHIM=0 is set");
    if (program.kind == PROGRAM_STATIC && !is_portshim(program.file))
        command_warn(
            "statically linked, so its own ports stay as they are; those of programs it starts are rewritten",
            "use a dynamic build", "%s", program.file);
    if (program.kind == PROGRAM_GO)
        command_warn(
            "a Go program, so its own ports stay as they are; those of programs it starts are rewritten",
            "build it with its port as an option", "%s", program.file);
    if (program.privileged)
        command_warn(
            "set-user-ID or set-group-ID, so ld.so ignores the library and its ports stay as they are",
            "run it as its owner", "%s", program.file);
}

static void fail_of_port(const struct run_request *request, const struct run_problem *problem, int error)
{
    if (request->server->required)
        command_check_server(request->server, false);
    char why[1280], held[1024], whose[64] = "placeholders to come";
    unsigned listed = portset_count(request->ports), needs = listed < PORTSET_START ? listed : PORTSET_START;
    if (problem->placeholder != 0)
        snprintf(whose, sizeof whose, "placeholder %u", problem->placeholder);
    else
        needs += MAP_STOCK;
    if (error == PORTMAP_EXHAUSTED && needs > request->pool->count) {
        snprintf(why, sizeof why, "pool exhausted: it has %u ports, the run needs %u", request->pool->count,
                 needs);
        command_fail(why, "list fewer placeholders, or widen PORTSHIM_POOL", "no real port for %s", whose);
    }
    if (error == PORTMAP_EXHAUSTED) {
        holders_describe(request->home, request->pool, held, sizeof held);
        snprintf(why, sizeof why, "pool exhausted, held by: %s", held);
        command_fail(why, "end some of them, or widen PORTSHIM_POOL", "no real port for %s", whose);
    }
    if (problem->real == 0)
        command_fail(portmap_strerror(error), "list fewer placeholders", "no real port for %s", whose);
    if (error != PORTMAP_EHELD && error != PORTMAP_EINUSE)
        command_fail(portmap_strerror(error), "name another real port", "real port %u for placeholder %u",
                     problem->real, problem->placeholder);
    holders_describe_port(request->home, problem->real, held, sizeof held);
    snprintf(why, sizeof why, "held by %s", held);
    command_fail(why, "name another real port, or end its holder", "real port %u for placeholder %u",
                 problem->real, problem->placeholder);
}

static void fail_of_run(const struct run_request *request, const struct run_problem *problem, int error)
{
    const char *why = portmap_strerror(error);
    switch (problem->step) {
    case RUN_STEP_PORT:
        fail_of_port(request, problem, error);
        break;
    case RUN_STEP_NAME:
        command_fail(why, "choose another, or end that run", "run name \"%s\"", request->name);
    case RUN_STEP_FILE:
        command_fail(why, "name a file that can be written", "map file %s", problem->file);
    case RUN_STEP_OUTER:
        command_fail(why, "unset PORTSHIM_RUN, or start it in a living run", "the run around this one, %s",
                     request->outer);
    case RUN_STEP_DIRECTORY:
    case RUN_STEP_TABLE:
        break;
    }
    command_fail(why, "check its disk and permissions, or set PORTSHIM_HOME", "%s", request->home->path);
}

static char *command_line(char **words)
{
    size_t size = 1;
    for (char **word = words; *word != NULL; word++)
        size += strlen(*word) + 1;
    char *line = calloc(1, size), *at = line;
    if (line == NULL)
        command_fail(strerror(ENOMEM), "free some memory", "the command line");
    for (char **word = words; *word != NULL; word++)
        at += sprintf(at, "%s%s", at == line ? "" : " ", *word);
    /* It is for people, and the map has room for a line. */
    if (size > 1024)
        line[1024] = '\0';
    return line;
}

/*
 * The run this command is started in. It stays attached until exec, as its last process may be the one that
 * became this command.
 */
static const char *outer_run(const struct home *home, bool quiet)
{
    static char path[PATH_MAX];
    struct map *map;
    uint64_t run_id;
    const char *outer = getenv("PORTSHIM_RUN");
    if (outer == NULL || *outer == '\0')
        return NULL;
    int error = find_run(home, outer, path, &run_id);
    if (error == 0)
        error = map_attach(&map, path);
    if (error == 0)
        return path;
    if (!quiet)
        command_warn(error == -ENOENT ? portmap_strerror(PORTMAP_EENDED) : portmap_strerror(error),
                     "unset PORTSHIM_RUN, or start it in a living run",
                     "PORTSHIM_RUN=%s is not this run's outer one", outer);
    return NULL;
}

static void start(struct run *run, const struct run_request *request)
{
    struct run_problem problem = {0};
    int error = run_create(run, request, &problem);
    if (error != 0)
        fail_of_run(request, &problem, error);
}

static void join(struct run *run, const struct options *options, const struct run_request *request)
{
    static const char remedy[] = "name a living run, its directory or its map file";
    struct run_problem problem = {0};
    uint64_t run_id;
    int error = find_run(request->home, options->join, run->path, &run_id);
    if (error == 0 && liveness_settled(request->home, run_id) != RUN_ALIVE)
        error = PORTMAP_EENDED;
    if (error == 0)
        error = map_attach(&run->map, run->path);
    if (error == -ENOENT)
        error = PORTMAP_EENDED;
    if (error != 0)
        command_fail(portmap_strerror(error), remedy, "run %s", options->join);
    if (options->have_ports)
        error = run_add(run, request, &problem);
    if (error != 0)
        fail_of_run(request, &problem, error);
    static const struct portset none;
    struct run_request refill = *request;
    refill.ports = &none;
    run_refill(run, &refill);
}

static int set_variable(const char *assignment, void *context)
{
    (void)context;
    return putenv(strdup(assignment)) == 0 ? 0 : -errno;
}

static void set_environment(const struct run *run, const char *library)
{
    static char compact[COMPACT_SIZE];
    if (!compact_write(run->map, compact, sizeof compact))
        command_fail("too many placeholders for one environment variable", "list fewer, or use all", "run");
    library_preload(library);
    int error = publish_variables(run->map, set_variable, NULL);
    if (error != 0 || setenv("PORTSHIM_RUN", run->path, 1) < 0 || setenv(COMPACT_VARIABLE, compact, 1) < 0)
        command_fail(strerror(ENOMEM), "free some memory", "the environment");
}

static void tell(const struct run *run)
{
    static const char *const protocols[] = {"", "/tcp", "/udp", ""};
    fprintf(stderr, "portshim: run %s\n", run->path);
    for (unsigned port = 0; (port = publish_next(run->map, port)) != 0;) {
        uint32_t entry = atomic_load(&run->map->to_kernel[port]);
        fprintf(stderr, "portshim: %u%s -> %u\n", port, protocols[map_entry_protocols(entry)],
                map_entry_port(entry));
    }
    if (atomic_load(&run->map->grows))
        fprintf(stderr, "portshim: others when they are first bound\n");
}

/* Returns only when the command could not be started: then nothing may be left behind. */
static void become(char **command)
{
    execvp(command[0], command);
}

int command_run(int argc, char **argv)
{
    static struct options options;
    static struct run run;
    struct home home;
    struct pool pool;
    char library[PATH_MAX];
    parse_options(&options, argc, argv);
    check_options(&options);
    check_command(&options);
    library_find(library);
    command_load_pool(&pool, options.quiet);
    command_open_home(&home);
    struct obtain_server server = command_port_server(getpid(), options.require_server);
    struct run_request request = {.home = &home,
                                  .ports = &options.ports,
                                  .pool = &pool,
                                  .name = options.name,
                                  .files = (const char *const *)options.files,
                                  .command = command_line(options.command),
                                  .outer = options.join == NULL ? outer_run(&home, options.quiet) : NULL,
                                  .server = &server,
                                  .patience = OBTAIN_PATIENT,
                                  .reveal = options.reveal};
    if (options.join != NULL)
        join(&run, &options, &request);
    else
        start(&run, &request);
    command_check_server(&server, options.quiet);
    set_environment(&run, library);
    if (options.verbose)
        tell(&run);
    become(options.command);
    int error = errno;
    if (options.join == NULL)
        run_discard(&run, &home);
    command_end(error == ENOENT ? COMMAND_NOT_FOUND : COMMAND_NOT_EXECUTABLE, strerror(error),
                "name a program", "%s", options.command[0]);
}
