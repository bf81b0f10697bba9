/* portshim ls: the runs of this user, which ports they have, and who is on them. */
#include "command.h"
#include "error.h"
#include "find.h"
#include "json.h"
#include "process.h"
#include "program.h"
#include "sighting.h"
#include "socket_owners.h"
#include "survey.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_RUNS = 1024, NOTHING_LISTENS = 1, NAME_WIDTH_MAX = 80 };

static const char help[] =
    "usage: portshim ls [--json] [RUN]\n"
    "       portshim ls -q RUN PORT\n"
    "       portshim ls --log RUN\n"
    "\n"
    "Lists the living runs of this user: placeholders, real ports, what is on them, and whose it is. A port\n"
    "is assigned, bound, listening, or gone (it was bound before). Below a run stand programs of it that\n"
    "could not be wrapped, and fixed ports that are bound in it and not listed.\n"
    "\n"
    "      --json   print JSON, as docs/ls.schema.json says\n"
    "  -q, --pids   print the pids of the processes that listen on the port, as lsof -ti would\n"
    "      --log    print what the run's processes noted: attached, late assignments, refusals\n"
    "  -h, --help   print this\n"
    "\n"
    "Exit status: 0; 1 when -q finds nobody; 125 when there is no such run, or portshim failed.\n";

static const char see_help[] = "see portshim ls --help";

/* How many columns there are, 0 for any number. */
static unsigned terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return columns != NULL ? (unsigned)strtoul(columns, NULL, 10) : 0;
}

/* A line as wide as the terminal, or less; what people wrote is theirs, its control characters are not ours.
 */
static void print_line(char *line, unsigned width)
{
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == '\177')
            *c = '?';
    size_t len = strlen(line);
    if (width > 0 && len > width) {
        line[width - 1] = '>';
        line[width] = '\0';
        len = width;
    }
    while (len > 0 && line[len - 1] == ' ')
        line[--len] = '\0';
    puts(line);
}

static const char *protocol_suffix(unsigned protocols)
{
    static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
    return suffixes[protocols];
}

/* "45s", "12m", "3h", "2d" */
static void write_age(const struct map *map, char *age, size_t size)
{
    uint64_t seconds = (process_clock() - map->created) / 1000000000;
    static const struct {
        uint64_t unit;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    unsigned i = 0;
    while (i < 3 && seconds < 2 * units[i].unit)
        i++;
    snprintf(age, size, "%llu%c", (unsigned long long)(seconds / units[i].unit), units[i].letter);
}

static void write_run_name(const struct survey *run, char *name, size_t size)
{
    if (survey_name(run) != NULL)
        snprintf(name, size, "%s", survey_name(run));
    else
        snprintf(name, size, "%014llx", (unsigned long long)run->run_id);
}

static void print_port(const struct survey *run, const struct survey_port *port, bool first, unsigned width)
{
    char line[1024], name[NAME_WIDTH_MAX] = "", age[16] = "", number[16], pid[16] = "-";
    const char *command = map_about(run->map, "command", 0);
    if (first) {
        write_run_name(run, name, sizeof name);
        write_age(run->map, age, sizeof age);
    }
    snprintf(number, sizeof number, "%u%s", port->placeholder, protocol_suffix(port->protocols));
    if (port->owner_count > 0)
        snprintf(pid, sizeof pid, "%d%s", (int)port->owners[0], port->owner_count > 1 ? "+" : "");
    snprintf(line, sizeof line, "%-14s %4s  %-9s %5u  %-9s %-8s %-12s %s", name, age, number, port->real,
             run->elsewhere ? "?" : survey_state_name(port->state), pid,
             port->owner_count > 0 ? port->program : "-", first && command != NULL ? command : "");
    print_line(line, width);
}

static void print_empty(const struct survey *run, unsigned width)
{
    char line[1024], name[NAME_WIDTH_MAX], age[16];
    const char *command = map_about(run->map, "command", 0);
    write_run_name(run, name, sizeof name);
    write_age(run->map, age, sizeof age);
    snprintf(line, sizeof line, "%-14s %4s  %-9s %5s  %-9s %-8s %-12s %s", name, age, "-", "-", "-", "-", "-",
             command != NULL ? command : "");
    print_line(line, width);
}

static const char *why_unhookable(uint32_t kind)
{
    if (kind & PROGRAM_PRIVILEGED)
        return "set-user-ID or with capabilities";
    switch (kind) {
    case PROGRAM_STATIC:
        return "statically linked";
    case PROGRAM_GO:
        return "a Go program";
    default:
        return "of another ELF class";
    }
}

static const char *hook_remedy(uint32_t kind)
{
    if (kind & PROGRAM_PRIVILEGED)
        return "run it as its owner";
    switch (kind) {
    case PROGRAM_STATIC:
        return "use a dynamic build";
    case PROGRAM_GO:
        return "give it its port as an option";
    default:
        return "start it by a portshim of its own class";
    }
}

static void print_notes(const struct survey *run, unsigned width)
{
    char line[512];
    const struct map_program *program;
    if (run->ending)
        print_line((char[]){"    no process is left"}, width);
    for (unsigned n = 0; (program = sighting_unhookable(run->map, &n)) != NULL;) {
        snprintf(line, sizeof line, "    not wrapped: %s: %s: %s", program->name,
                 why_unhookable(program->kind), hook_remedy(program->kind));
        print_line(line, width);
    }
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(run->map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_BIND && s.kind != SIGHTING_REFUSED)
            continue;
        snprintf(line, sizeof line, "    not listed: %u: %s by %s: add -p %u", s.port,
                 s.kind == SIGHTING_BIND ? "bound" : "in use, wanted",
                 sighting_program_name(run->map, s.program), s.port);
        print_line(line, width);
    }
}

static void print_table(const struct survey *runs, unsigned count)
{
    unsigned width = terminal_width();
    char heading[128];
    if (count == 0)
        return;
    snprintf(heading, sizeof heading, "%-14s %4s  %-9s %5s  %-9s %-8s %-12s %s", "RUN", "AGE", "PORT", "REAL",
             "STATE", "PID", "PROGRAM", "COMMAND");
    print_line(heading, width);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned p = 0; p < runs[i].port_count; p++)
            print_port(&runs[i], &runs[i].ports[p], p == 0, width);
        if (runs[i].port_count == 0)
            print_empty(&runs[i], width);
        print_notes(&runs[i], width);
    }
}

static void json_protocols(const char *key, unsigned protocols)
{
    printf("\"%s\":[%s%s%s]", key, protocols & PORTMAP_TCP ? "\"tcp\"" : "",
           protocols == PORTMAP_BOTH ? "," : "", protocols & PORTMAP_UDP ? "\"udp\"" : "");
}

static void json_port(const struct survey *run, const struct survey_port *port)
{
    printf("{\"placeholder\":%u,\"real\":%u,", port->placeholder, port->real);
    json_protocols("protocols", port->protocols);
    printf(",\"state\":\"%s\",", run->elsewhere ? "unknown" : survey_state_name(port->state));
    json_protocols("in_use", port->used);
    printf(",\"late\":%s,\"lease\":", port->late ? "true" : "false");
    json_string(stdout, port->lease);
    printf(",\"processes\":[");
    for (unsigned i = 0; i < port->owner_count; i++) {
        char name[SURVEY_NAME];
        process_name(port->owners[i], name, sizeof name);
        printf("%s{\"pid\":%d,\"program\":", i > 0 ? "," : "", (int)port->owners[i]);
        json_string(stdout, name);
        putchar('}');
    }
    printf("]}");
}

static void json_notes(const struct survey *run)
{
    const struct map_program *program;
    const char *comma = "";
    printf("],\"not_wrapped\":[");
    for (unsigned n = 0; (program = sighting_unhookable(run->map, &n)) != NULL; comma = ",") {
        printf("%s{\"program\":", comma);
        json_string(stdout, program->name);
        printf(",\"reason\":\"%s\",\"remedy\":\"%s\"}", why_unhookable(program->kind),
               hook_remedy(program->kind));
    }
    comma = "";
    printf("],\"not_listed\":[");
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(run->map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_BIND && s.kind != SIGHTING_REFUSED)
            continue;
        printf("%s{\"port\":%u,\"program\":", comma, s.port);
        json_string(stdout, sighting_program_name(run->map, s.program));
        printf(",\"bound\":%s,\"remedy\":\"-p %u\"}", s.kind == SIGHTING_BIND ? "true" : "false", s.port);
        comma = ",";
    }
    printf("]}");
}

static void json_run(const struct survey *run)
{
    const struct map *map = run->map;
    const char *file;
    printf("{\"run\":");
    json_string(stdout, run->path);
    printf(",\"name\":");
    json_string(stdout, survey_name(run));
    printf(",\"command\":");
    json_string(stdout, map_about(map, "command", 0));
    printf(",\"pid\":%d,\"age\":%.3f,\"ending\":%s,\"outer\":", (int)map->starter,
           (double)(process_clock() - map->created) / 1e9, run->ending ? "true" : "false");
    json_string(stdout, map_about(map, "outer", 0));
    printf(",\"files\":[");
    for (unsigned n = 0; (file = map_about(map, "file", n)) != NULL; n++) {
        if (n > 0)
            putchar(',');
        json_string(stdout, file);
    }
    printf("],\"ports\":[");
    for (unsigned p = 0; p < run->port_count; p++) {
        if (p > 0)
            putchar(',');
        json_port(run, &run->ports[p]);
    }
    json_notes(run);
}

static void print_json(const struct survey *runs, unsigned count)
{
    printf("{\"runs\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            printf(",\n ");
        json_run(&runs[i]);
    }
    printf("]}\n");
}

static uint64_t find(const struct home *home, const char *word)
{
    char path[PATH_MAX];
    uint64_t run_id;
    int error = find_run(home, word, path, &run_id);
    if (error != 0)
        command_fail(portmap_strerror(error), "name a run, its directory or its map file", "run %s", word);
    return run_id;
}

/* One run, or all. */
static unsigned survey(const struct home *home, const char *word, struct survey *runs)
{
    int count = 1, error = 0;
    if (word == NULL)
        count = error = survey_all(runs, MOST_RUNS, home);
    else
        error = survey_run(runs, home, find(home, word));
    if (error < 0 && word != NULL)
        command_fail(portmap_strerror(error), "see portshim ls", "run %s", word);
    if (error < 0)
        command_fail(portmap_strerror(error), "check PORTSHIM_HOME", "%s", home->path);
    survey_find_owners(runs, (unsigned)count);
    return (unsigned)count;
}

static int print_pids(const struct survey *run, const char *word)
{
    static struct portset ports;
    bool any = false;
    command_add_ports(&ports, word);
    for (unsigned p = 0; p < run->port_count; p++) {
        const struct survey_port *port = &run->ports[p];
        if ((portset_listed(&ports, port->placeholder) & port->used) == 0)
            continue;
        for (unsigned i = 0; i < port->owner_count; i++, any = true)
            printf("%d\n", (int)port->owners[i]);
    }
    return any ? EXIT_SUCCESS : NOTHING_LISTENS;
}

static void print_record(const struct map *map, const struct map_record *record)
{
    double age = (double)(record->clock - map->created) / 1e9;
    printf("%10.3f  pid %-7d  ", age, (int)record->pid);
    switch (record->event) {
    case MAP_EVENT_ATTACH:
        puts("attached");
        break;
    case MAP_EVENT_LATE:
        printf("late assignment: %u -> %u\n", record->placeholder, record->real);
        break;
    case MAP_EVENT_SWAP:
        printf("remap: %u -> %u, as another program had taken the port before\n", record->placeholder,
               record->real);
        break;
    case MAP_EVENT_REFUSED:
        printf("refused: %u -> %u: %s\n", record->placeholder, record->real, strerror(record->error));
        break;
    case MAP_EVENT_EMPTY:
        printf("refused: no real port was left for %u\n", record->placeholder);
        break;
    default:
        printf("event %u\n", record->event);
    }
}

static void print_log(const struct map *map)
{
    uint32_t next = atomic_load(&map->log_next), first = next > MAP_LOG ? next - MAP_LOG : 0;
    for (uint32_t i = first; i != next; i++) {
        const struct map_record *record = &map->log[i % MAP_LOG];
        if (record->event != MAP_EVENT_NONE)
            print_record(map, record);
    }
}

enum ls_kind { LS_TABLE, LS_JSON, LS_PIDS, LS_LOG };

static enum ls_kind parse_options(int argc, char **argv)
{
    enum { JSON = 256, LOG };
    static const struct option words[] = {{"json", no_argument, NULL, JSON},
                                          {"pids", no_argument, NULL, 'q'},
                                          {"log", no_argument, NULL, LOG},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    enum ls_kind kind = LS_TABLE;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "+qh", words, NULL)) != -1;) {
        if (option == 'h')
            command_help(help);
        if (option == '?')
            command_bad_option(argv, see_help);
        kind = option == JSON ? LS_JSON : option == LOG ? LS_LOG : LS_PIDS;
    }
    return kind;
}

int command_ls(int argc, char **argv)
{
    static const int most[] = {[LS_TABLE] = 1, [LS_JSON] = 1, [LS_PIDS] = 2, [LS_LOG] = 1};
    struct home home;
    enum ls_kind kind = parse_options(argc, argv);
    int words = argc - optind, status = EXIT_SUCCESS;
    if (words > most[kind])
        command_fail("too many arguments", see_help, "%s", argv[optind + most[kind]]);
    if (kind == LS_PIDS)
        command_check_run_and_ports(words, argv + optind, see_help);
    if (kind == LS_LOG && words == 0)
        command_fail("none is given", see_help, "run");
    command_open_home(&home);
    struct survey *runs = calloc(MOST_RUNS, sizeof *runs);
    if (runs == NULL)
        command_fail(strerror(ENOMEM), "free some memory", "the list of runs");
    unsigned count = survey(&home, words > 0 ? argv[optind] : NULL, runs);
    if (kind == LS_JSON)
        print_json(runs, count);
    else if (kind == LS_PIDS)
        status = print_pids(runs, argv[optind + 1]);
    else if (kind == LS_LOG)
        print_log(runs->map);
    else
        print_table(runs, count);
    if (fflush(stdout) == EOF)
        command_fail("cannot write", "give it an open stdout", "standard output");
    return status;
}
