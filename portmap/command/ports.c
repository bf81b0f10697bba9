/* portshim ports: runs a command with no port rewritten, and lists the fixed ports that it uses. */
#include "base/file.h"
#include "base/lock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "command/command.h"
#include "command/ending.h"
#include "command/launch.h"
#include "command/library.h"
#include "command/run_options.h"
#include "command/supervise.h"
#include "command/trapping.h"
#include "error.h"
#include "run/publish.h"
#include "run/run.h"
#include "run/sighting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: portshim ports [--write] [-o FILE] [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND, with no port rewritten, and prints, when it has ended, the fixed ports of this host that "
    "it\n"
    "and all it starts have bound or connected to: port, protocol, what was done, by which program, and\n"
    "whether the port is privileged or ephemeral. (Ports that the kernel chose are not fixed.) On stderr, "
    "as\n"
    "stdout is the command's.\n"
    "\n"
    "      --write        put the bound ones into a new .portshim, for portshim run\n"
    "  -o, --output FILE  print to FILE instead of stderr\n"
    "  -h, --help         print this\n"
    "\n"
    "Exit status: the command's own; 125 when portshim failed, 126 and 127 as portshim run.\n";

static const char see_help[] = "see portshim ports --help";
static const char settings_file[] = ".portshim";

/* What programs were seen to do with a port. */
struct used_port {
    unsigned bound, refused, connected; /* the protocols for which they did */
    bool any;
};

static struct used_port used[PORT_COUNT];

static void collect(const struct map *map)
{
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        struct used_port *port = &used[s.port];
        if (s.port == 0)
            continue;
        port->any = true;
        if (s.kind == SIGHTING_BIND)
            port->bound |= s.protocols;
        else if (s.kind == SIGHTING_REFUSED)
            port->refused |= s.protocols;
        else
            port->connected |= s.protocols;
    }
}

/* The first line of a list. An output file that starts otherwise is the user's own and not overwritten. */
static const char list_head[] = " PORT  TYPE  USE           PROGRAM         \n";

static const char *remark(const struct map *map, unsigned port)
{
    if (port < 1024)
        return "privileged";
    return map_is_ephemeral(map, port) ? "ephemeral" : "";
}

/* Makes a program's name printable: a file name may contain any bytes. */
static void fit_name(char fit[static sizeof(struct map_program)], const char *name)
{
    struct text t = text_in(fit, sizeof(struct map_program));
    text_str(&t, name);
    utf8_fit(fit, 0);
}

static void print_sighting(FILE *out, const struct map *map, struct sighting s)
{
    static const char *const done[] = {
        [SIGHTING_BIND] = "bind", [SIGHTING_REFUSED] = "bind, in use", [SIGHTING_CONNECT] = "connect"};
    static const char *const protocols[] = {"?", "tcp", "udp", "both"};
    char program[sizeof(struct map_program)];
    fit_name(program, sighting_program_name(map, s.program).text);
    fprintf(out, "%5u  %-4s  %-12s  %-16s  %s\n", s.port, protocols[s.protocols], done[s.kind], program,
            remark(map, s.port));
}

static void print_all(FILE *out, const struct map *map)
{
    struct map_program program;
    fputs(list_head, out);
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        struct sighting s;
        if (!used[port].any)
            continue;
        for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++)
            if (s.port == port)
                print_sighting(out, map, s);
    }
    for (unsigned n = 0; sighting_unhookable(map, &n, &program);) {
        char name[sizeof program];
        fit_name(name, program.name);
        fprintf(out, "# %s could not be looked into: see portshim doctor\n", name);
    }
}

static void warn_of_lost(const struct map *map)
{
    static const char why[] = "there was no room for more", remedy[] = "run its parts one by one";
    if (sighting_is_full(map, SIGHTING_BIND))
        command_warn(why, remedy, "some of the ports that were bound may be missing");
    if (sighting_is_full(map, SIGHTING_CONNECT))
        command_warn(why, remedy, "some of the ports that were connected to may be missing");
}

static bool any_bound(void)
{
    for (unsigned port = 1; port < PORT_COUNT; port++)
        if ((used[port].bound | used[port].refused) != 0)
            return true;
    return false;
}

/* Writes .portshim with the ports that were bound. A port that clients only connected to belongs to a server
 * outside of the run, and must not be rewritten. */
static void write_settings(void)
{
    FILE *out = NULL;
    if (!any_bound()) {
        command_warn("no fixed port was bound", "see what its program says", "%s is not written",
                     settings_file);
        return;
    }
    int fd = open(settings_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0)
        file_let_owner(fd);
    if (fd >= 0)
        out = fdopen(fd, "w");
    if (out == NULL)
        command_fail(portmap_strerror(-errno), "remove it, or go to another directory", "%s", settings_file);
    fprintf(out, "# fixed ports that portshim ports has seen bound\n");
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        unsigned bound = used[port].bound | used[port].refused;
        if (bound == 0)
            continue;
        fprintf(out, "ports %u%s\n", port,
                bound == PORTMAP_TCP   ? "/tcp"
                : bound == PORTMAP_UDP ? "/udp"
                                       : "");
    }
    if (fclose(out) == EOF)
        command_fail(portmap_strerror(-errno), "make room", "%s", settings_file);
}

struct discovering {
    bool write, made_output;
    const char *output;
    char **command;
};

static void parse_options(struct discovering *d, int argc, char **argv)
{
    enum { WRITE = 256 };
    static const struct option words[] = {{"write", no_argument, NULL, WRITE},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = command_option(argc, argv, "+o:h", words, help, see_help)) != -1;) {
        if (option == 'o')
            d->output = optarg;
        else
            d->write = true;
    }
    d->command = argv + optind;
    if (*d->command == NULL)
        command_fail("nothing to run", "name one after the options", "command");
    if (d->write && access(settings_file, F_OK) == 0)
        command_fail("it is there already", "remove it, or leave --write away", "%s", settings_file);
    if (d->write && access(".", W_OK) < 0)
        command_fail(portmap_strerror(-errno), "go to another directory, or leave --write away", "%s",
                     settings_file);
}

/* The descriptor that a name such as /dev/stdout or /dev/fd/3 means, -1 for other names. Opening the name
 * would truncate the file. */
static int open_descriptor(const char *name)
{
    const char *digits = name + sizeof "/dev/fd/" - 1;
    uint64_t fd;
    if (strcmp(name, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(name, "/dev/stderr") == 0)
        return STDERR_FILENO;
    if (strncmp(name, "/dev/fd/", sizeof "/dev/fd/" - 1) != 0 ||
        !text_take_uint(&digits, digits + strlen(digits), INT_MAX, &fd) || *digits != '\0')
        return -1;
    return (int)fd;
}

/* Fails when the output file has contents that are no list of ours. */
static void check_output(const char *name)
{
    char head[sizeof list_head];
    struct stat st;
    if (stat(name, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return;
    int len = text_read_file(name, head, sizeof head);
    if (len < 0 || strcmp(head, list_head) != 0)
        command_fail(portmap_strerror(len < 0 ? len : PORTMAP_EOTHERS), "name another file, or remove it",
                     "%s", name);
}

static FILE *open_output(struct discovering *d)
{
    if (d->output == NULL)
        return stderr;
    int fd = open_descriptor(d->output);
    if (fd < 0)
        check_output(d->output);
    d->made_output = fd < 0 && access(d->output, F_OK) < 0;
    FILE *out = fd < 0 ? fopen(d->output, "we") : fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "w");
    if (out == NULL)
        command_fail(portmap_strerror(-errno), "name a file that can be written", "%s", d->output);
    return out;
}

static void create(struct run *run, const struct means *means, const struct discovering *d)
{
    struct run_problem problem = {0};
    const struct run_wish wish = {.command = command_line(d->command), .discover = true};
    int error = run_create(run, means, &wish, &problem);
    if (error != 0 && d->made_output)
        unlink(d->output);
    if (error != 0)
        command_fail(lock_strerror(error), home_remedy(error), "%s", means->home->path);
}

int command_ports(int argc, char **argv)
{
    static struct reach program;
    static struct launch_failure failure;
    char library[PATH_MAX];
    static struct run run;
    static const struct ending ending = {.run = &run};
    struct discovering d = {0};
    struct home home;
    struct pool pool;
    parse_options(&d, argc, argv);
    enum run_trap trap = run_options_trap();
    command_find_program(d.command[0], &program);
    bool is_trapped = trap == RUN_TRAP_ON || (trap == RUN_TRAP_AUTO && reach_wants_trap(&program));
    if (!is_trapped)
        command_check_class(&program);
    library_find(library);
    command_choose_pool(&pool);
    command_open_home(&home);
    FILE *out = open_output(&d);
    const struct means means = {.home = &home, .pool = &pool};
    create(&run, &means, &d);
    library_enter_run(library, &run, &(struct compact_trap){.is_off = trap == RUN_TRAP_OFF}); /* it fits */
    if (reach_refuses_library(&program))
        library_leave_out();
    trapping_announce_run();
    if (is_trapped)
        sighting_trapped(run.map, &program);
    else
        sighting_started(run.map, &program);
    const struct launch command = {
        .words = d.command, .program = program.path, .map = run.map, .is_trapped = is_trapped};
    int status = supervise(&command, &failure);
    if (failure.error == 0) {
        collect(run.map);
        print_all(out, run.map);
        warn_of_lost(run.map);
    }
    ending_watch(&ending);
    ending_of_discarded(failure.error == 0 ? status : launch_status(&failure));
    run_discard(&run, &home);
    if (failure.error == 0 && d.write)
        write_settings();
    if (failure.error != 0 && d.made_output)
        unlink(d.output);
    if (failure.error != 0)
        launch_end(&command, &failure);
    if (fflush(out) == EOF)
        command_fail("cannot write", "name a file with -o", "the list of ports");
    supervise_end(status);
}
