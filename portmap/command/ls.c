/* portshim ls: lists the runs of this user, their ports, and the processes that use them. */
#include "base/json.h"
#include "base/utf8.h"
#include "command/asked.h"
#include "command/command.h"
#include "command/ls_ended.h"
#include "command/meant.h"
#include "error.h"
#include "host/process.h"
#include "host/socket_owners.h"
#include "observe/past.h"
#include "observe/survey.h"
#include "observe/unwrapped.h"
#include "run/find.h"
#include "run/keyed.h"
#include "run/sighting.h"
#include "run/supervisors.h"
#include "run/sweep.h"
#include "run/texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_RUNS = 1024,
    NOTHING_LISTENS = 1,
    NAME_SIZE = 80,
    NAME_COLUMN_MAX = 32,
    LINE_SIZE = 4096 /* enough for a run's command line, which is cut to a kilobyte */
};

static const char help[] =
    "usage: portshim ls [--all] [--json] [RUN]\n"
    "       portshim ls -q [RUN] PORT\n"
    "       portshim ls --log [RUN]\n"
    "\n"
    "Lists the living runs of this user: a line for the run, below it one for each of its placeholders, "
    "with\n"
    "the real port, who has its lease, and the process that is on it. A port is assigned, bound, listening,\n"
    "or gone (it was bound before). Then come programs of the run that the trap wraps, those that could not\n"
    "be wrapped, those that loaded libraries with RTLD_DEEPBIND or dlmopen(), and fixed ports that are bound "
    "in it and not listed.\n"
    "\n"
    "RUN is a name, a run directory or a map file. With -q and --log, without it, it is the run that was\n"
    "started in this directory, or nearest above it.\n"
    "\n"
    "      --all    list ended runs as well: those of which this user's home still has a record\n"
    "      --json   print JSON, as ls.schema.json says\n"
    "  -q, --pids   print the pids of the processes that listen on the port, as lsof -ti would\n"
    "      --log    print what the run's processes noted: attached, late assignments, refusals\n"
    "  -h, --help   print this\n"
    "\n"
    "Exit status: 0; 1 when -q finds nobody; 125 when there is no such run, or portshim failed.\n";

static const char see_help[] = "see portshim ls --help";

/* How many columns the output may have, 0 for any number. */
static unsigned terminal_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    unsigned long width = columns != NULL ? strtoul(columns, NULL, 10) : 0;
    return width < LINE_SIZE ? (unsigned)width : 0;
}

/* The widths of the table and of the columns that vary. */
struct table {
    unsigned width; /* 0 for any */
    int name, lease, pid;
};

static void print_line(char *line, const struct table *table)
{
    utf8_fit(line, table->width);
    puts(line);
}

static const char *protocol_suffix(unsigned protocols)
{
    static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
    return suffixes[protocols];
}

/* process_clock(), read once for all runs, so that the older of two runs never shows the smaller age. */
static uint64_t now;

/* Nanoseconds. 0 for a run that an earlier boot has left, as the clock starts anew at boot. */
static uint64_t age_of(const struct map *map)
{
    return now > map->head->created ? now - map->head->created : 0;
}

/* Writes the age as "45s", "12m", "3h" or "2d". */
static void write_age(const struct map *map, char *age, size_t size)
{
    uint64_t seconds = age_of(map) / 1000000000;
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

static const char *state_name(const struct survey *run, const struct survey_port *port)
{
    return run->elsewhere ? "unknown" : survey_state_name(port->state);
}

/* Writes the first process and how many more there are: "1234 +4". Returns the length. */
static int write_pids(const struct survey_port *port, char *pids, size_t size)
{
    if (port->owner_count == 0)
        return snprintf(pids, size, "-");
    if (port->owner_count == 1)
        return snprintf(pids, size, "%d", (int)port->owners[0].pid);
    return snprintf(pids, size, "%d +%u", (int)port->owners[0].pid, port->owner_count - 1);
}

static void print_port(const struct survey *run, const struct survey_port *port, const struct table *table)
{
    char number[16], pids[40], *line, *command = NULL;
    snprintf(number, sizeof number, "%u%s", port->placeholder, protocol_suffix(port->protocols));
    write_pids(port, pids, sizeof pids);
    if (port->owner_count > 0)
        command = process_command(port->owners[0].pid);
    if (asprintf(&line, "  %-9s  %5u  %-9s  %-*s  %-*s  %s", number, port->real, state_name(run, port),
                 table->lease, port->lease, table->pid, pids, command != NULL ? command : "-") < 0)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the list of runs");
    print_line(line, table);
    free(line);
    free(command);
}

static void print_run(const struct survey *run, const struct table *table)
{
    char line[LINE_SIZE], name[NAME_SIZE], age[16];
    const char *command = texts_get(&run->map, TEXT_COMMAND, 0);
    write_run_name(run, name, sizeof name);
    write_age(&run->map, age, sizeof age);
    snprintf(line, sizeof line, "%-*s  %4s  %s", table->name, name, age,
             command != NULL && *command != '\0' ? command : "(by hand)");
    print_line(line, table);
}

/* How to describe a sighting of a library that was loaded so that its calls could pass ours by. */
struct load {
    const char *by, *why, *remedy;
    bool wrapped;
};

static const struct load *load_of(enum sighting_kind kind)
{
    static const struct load taken = {"RTLD_DEEPBIND", "was taken from the flags of its dlopen()",
                                      "PORTSHIM_DEEPBIND=keep leaves it", true};
    static const struct load kept = {"RTLD_DEEPBIND", "was kept, so these libraries reach the kernel's ports",
                                     "unset PORTSHIM_DEEPBIND", false};
    static const struct load elsewhere = {
        "dlmopen", "has a libc of its own, so these libraries reach the kernel's ports",
        "load them by dlopen()", false};
    switch (kind) {
    case SIGHTING_DEEPBIND:
        return &taken;
    case SIGHTING_DEEPBIND_KEPT:
        return &kept;
    case SIGHTING_DLMOPEN:
        return &elsewhere;
    default:
        return NULL;
    }
}

static void print_load(const struct survey *run, struct sighting s, const struct table *table)
{
    char line[512];
    const struct load *load = load_of(s.kind);
    if (load == NULL)
        return;
    snprintf(line, sizeof line, "  %s: libraries of %s: %s %s: %s", load->wrapped ? "wrapped" : "not wrapped",
             sighting_program_name(&run->map, s.program).text, load->by, load->why, load->remedy);
    print_line(line, table);
}

/* Says which placeholders have other ports than the run's key wanted. */
static void print_missed(const struct survey *run, const struct table *table)
{
    char line[96];
    for (unsigned p = 0; p < run->port_count; p++) {
        unsigned placeholder = run->ports[p].placeholder, wanted = keyed_wanted(&run->map, placeholder);
        if (keyed_is(&run->map, placeholder) != KEYED_MISSED)
            continue;
        int len =
            snprintf(line, sizeof line, "  not the key's port: %u -> %u", placeholder, run->ports[p].real);
        if (wanted != 0)
            snprintf(line + len, sizeof line - (size_t)len, ": %u was taken", wanted);
        print_line(line, table);
    }
}

static void print_notes(const struct survey *run, const struct table *table)
{
    char line[512];
    struct map_program program;
    if (run->ending)
        print_line((char[]){"  no process is left"}, table);
    if (run->elsewhere)
        print_line((char[]){"  in another network namespace: ask there"}, table);
    if (supervisors_killed(&run->map) > 0)
        print_line(
            (char[]){"  a supervisor was killed: calls about ports fail in programs that were under it: "
                     "start them again"},
            table);
    for (unsigned n = 0; sighting_hooked_by_trap(&run->map, &n, &program);) {
        snprintf(line, sizeof line, "  wrapped by the trap: %s: %s", program.name,
                 sighting_obstacle(&program)->why);
        print_line(line, table);
    }
    for (unsigned n = 0; sighting_unhookable(&run->map, &n, &program);) {
        const struct unwrapped unwrapped = unwrapped_of(&program);
        snprintf(line, sizeof line, "  not wrapped: %s%s: %s: %s", program.name,
                 unwrapped.in_part ? ", in part" : "", unwrapped.reason, unwrapped.remedy);
        print_line(line, table);
    }
    print_missed(run, table);
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(&run->map, n)).kind != SIGHTING_NONE; n++)
        print_load(run, s, table);
    for (unsigned n = 0; (s = sighting_get(&run->map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_BIND && s.kind != SIGHTING_REFUSED)
            continue;
        snprintf(line, sizeof line, "  not listed: %u: %s by %s: add -p %u", s.port,
                 s.kind == SIGHTING_BIND ? "bound" : "in use, wanted",
                 sighting_program_name(&run->map, s.program).text, s.port);
        print_line(line, table);
    }
}

static void widen(int *column, int width)
{
    if (width > *column)
        *column = width;
}

/* Makes the columns as wide as their contents; the name's has a maximum, which longer names exceed. */
static void measure(struct table *table, const struct survey *runs, unsigned count)
{
    char text[NAME_SIZE];
    *table = (struct table){.width = terminal_width(), .name = 9, .lease = 5, .pid = 3};
    for (unsigned i = 0; i < count; i++) {
        write_run_name(&runs[i], text, sizeof text);
        widen(&table->name, (int)strlen(text));
        for (unsigned p = 0; p < runs[i].port_count; p++) {
            widen(&table->lease, (int)strlen(runs[i].ports[p].lease));
            widen(&table->pid, write_pids(&runs[i].ports[p], text, sizeof text));
        }
    }
    if (table->name > NAME_COLUMN_MAX)
        table->name = NAME_COLUMN_MAX;
}

static void print_table(const struct survey *runs, unsigned count)
{
    struct table table;
    char line[LINE_SIZE];
    if (count == 0)
        return;
    measure(&table, runs, count);
    snprintf(line, sizeof line, "%-*s  %4s  %s", table.name, "RUN", "AGE", "COMMAND");
    print_line(line, &table);
    snprintf(line, sizeof line, "  %-9s  %5s  %-9s  %-*s  %-*s  %s", "PORT", "REAL", "STATE", table.lease,
             "LEASE", table.pid, "PID", "COMMAND");
    print_line(line, &table);
    for (unsigned i = 0; i < count; i++) {
        print_run(&runs[i], &table);
        for (unsigned p = 0; p < runs[i].port_count; p++)
            print_port(&runs[i], &runs[i].ports[p], &table);
        print_notes(&runs[i], &table);
    }
}

static void json_protocols(const char *key, unsigned protocols)
{
    printf("\"%s\":[%s%s%s]", key, protocols & PORTMAP_TCP ? "\"tcp\"" : "",
           protocols == PORTMAP_BOTH ? "," : "", protocols & PORTMAP_UDP ? "\"udp\"" : "");
}

/* By which way the program of a process is wrapped, in JSON. */
static const char *way_of(const struct map *map, pid_t pid)
{
    static const char *const ways[] = {
        [WAY_LIBRARY] = "\"library\"", [WAY_TRAP] = "\"trap\"", [WAY_NONE] = "null"};
    char path[32];
    struct stat file;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return ways[stat(path, &file) == 0 ? sighting_way(map, &file) : WAY_NONE];
}

static void json_process(const struct map *map, pid_t pid)
{
    char name[32], *command = process_command(pid);
    process_name(pid, name, sizeof name);
    printf("{\"pid\":%d,\"program\":", (int)pid);
    json_string(stdout, name);
    printf(",\"command\":");
    json_string(stdout, command != NULL ? command : "");
    printf(",\"wrapped_by\":%s}", way_of(map, pid));
    free(command);
}

static void json_port(const struct survey *run, const struct survey_port *port)
{
    static const char *const by_key[] = {
        [KEYED_NOT] = "null", [KEYED_GOT] = "true", [KEYED_MISSED] = "false"};
    printf("{\"placeholder\":%u,\"real\":%u,", port->placeholder, port->real);
    json_protocols("protocols", port->protocols);
    printf(",\"state\":\"%s\",", state_name(run, port));
    json_protocols("in_use", port->used);
    printf(",\"late\":%s,\"by_key\":%s,\"lease\":", port->late ? "true" : "false",
           by_key[keyed_is(&run->map, port->placeholder)]);
    json_string(stdout, port->lease);
    printf(",\"processes\":[");
    for (unsigned i = 0; i < port->owner_count; i++) {
        if (i > 0)
            putchar(',');
        json_process(&run->map, port->owners[i].pid);
    }
    printf("]}");
}

static void json_loads(const struct map *map)
{
    const char *comma = "";
    struct sighting s;
    printf(",\"libraries\":[");
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        const struct load *load = load_of(s.kind);
        if (load == NULL)
            continue;
        printf("%s{\"program\":", comma);
        json_string(stdout, sighting_program_name(map, s.program).text);
        printf(",\"loaded_by\":\"%s\",\"wrapped\":%s,\"remedy\":\"%s\"}", load->by,
               load->wrapped ? "true" : "false", load->remedy);
        comma = ",";
    }
}

static void json_trapped(const struct map *map)
{
    struct map_program program;
    const char *comma = "";
    printf("],\"trapped\":[");
    for (unsigned n = 0; sighting_hooked_by_trap(map, &n, &program); comma = ",") {
        printf("%s{\"program\":", comma);
        json_string(stdout, program.name);
        printf(",\"reason\":\"%s\"}", sighting_obstacle(&program)->why);
    }
}

static void json_notes(const struct survey *run)
{
    struct map_program program;
    const char *comma = "";
    printf("],\"not_wrapped\":[");
    for (unsigned n = 0; sighting_unhookable(&run->map, &n, &program); comma = ",") {
        const struct unwrapped unwrapped = unwrapped_of(&program);
        printf("%s{\"program\":", comma);
        json_string(stdout, program.name);
        printf(",\"in_part\":%s,\"reason\":\"%s\",\"remedy\":\"%s\"}", unwrapped.in_part ? "true" : "false",
               unwrapped.reason, unwrapped.remedy);
    }
    json_trapped(&run->map);
    printf("],\"supervisors_killed\":%u", supervisors_killed(&run->map));
    json_loads(&run->map);
    comma = "";
    printf("],\"not_listed\":[");
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(&run->map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_BIND && s.kind != SIGHTING_REFUSED)
            continue;
        printf("%s{\"port\":%u,\"program\":", comma, s.port);
        json_string(stdout, sighting_program_name(&run->map, s.program).text);
        printf(",\"bound\":%s,\"remedy\":\"-p %u\"}", s.kind == SIGHTING_BIND ? "true" : "false", s.port);
        comma = ",";
    }
    printf("]}");
}

static void json_run(const struct survey *run)
{
    const struct map *map = &run->map;
    const char *file;
    printf("{\"run\":");
    json_string(stdout, run->path);
    printf(",\"name\":");
    json_string(stdout, survey_name(run));
    printf(",\"key\":");
    json_string(stdout, texts_get(map, TEXT_KEY, 0));
    printf(",\"command\":");
    json_string(stdout, texts_get(map, TEXT_COMMAND, 0));
    printf(",\"directory\":");
    json_string(stdout, texts_get(map, TEXT_DIRECTORY, 0));
    printf(",\"pid\":%d,\"age\":%.3f,\"ending\":%s,\"outer\":", (int)map->head->starter,
           (double)age_of(map) / 1e9, run->ending ? "true" : "false");
    json_string(stdout, texts_get(map, TEXT_OUTER, 0));
    printf(",\"files\":[");
    for (unsigned n = 0; (file = texts_get(map, TEXT_FILE, n)) != NULL; n++) {
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

/* Begins the document; the caller ends it. */
static void print_json(const struct survey *runs, unsigned count)
{
    printf("{\"runs\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            printf(",\n ");
        json_run(&runs[i]);
    }
    printf("]");
}

/* What helps against an error of survey_run(). */
static const char *remedy_of(int error)
{
    if (error == PORTMAP_EENDED || error == PORTMAP_ENORUN)
        return "see portshim ls --all";
    return error == PORTMAP_ETORN ? "use the version that made it, or end its processes"
                                  : "let this user read and write its files";
}

static void warn_of_unread(uint64_t run_id, int error)
{
    command_warn(portmap_strerror(error), remedy_of(error), "run %014llx is not listed",
                 (unsigned long long)run_id);
}

/* Surveys all runs; `all`: also those that may turn out to have ended. Returns how many. */
static unsigned survey_every(const struct home *home, bool all, struct survey *runs)
{
    int count = survey_all(runs, MOST_RUNS, home, all, warn_of_unread);
    if (count < 0)
        command_fail(portmap_strerror(count), "check PORTSHIM_HOME", "%s", home->path);
    if (count == MOST_RUNS)
        command_warn("there may be more", "name the one that is meant", "only %d runs are listed", count);
    return (unsigned)count;
}

/* Surveys the run that word means. Returns how many; 0 only when there is a record of one that has ended, and
 * the records are to be listed. */
static unsigned survey_named(const struct home *home, const char *word, bool all, struct survey *runs)
{
    char path[PATH_MAX];
    uint64_t run_id;
    struct ended last;
    int error = find_run(home, word, path, &run_id);
    bool is_found = error == 0;
    if (is_found)
        error = survey_run(runs, home, run_id);
    if (is_found && error == PORTMAP_EENDED)
        sweep_ended(home, run_id);
    if (error == 0)
        return 1;
    if (all && (error == PORTMAP_EENDED || error == PORTMAP_ENORUN) && past_last(home, word, &last))
        return 0;
    command_fail_of_run(home, word, error,
                        is_found ? remedy_of(error) : "name a run, its directory or its map file");
}

static void look_at_sockets(struct survey *runs, unsigned count)
{
    int error = survey_sockets(runs, count);
    if (error != 0)
        command_fail(portmap_strerror(error), "enable the kernel's inet_diag",
                     "the kernel's list of sockets");
}

/* Fails when a port asked for with -q is not a placeholder of the run. */
static void check_placeholders(const struct survey *run, const struct portset *ports, const char *word)
{
    if (run->elsewhere)
        command_fail("the run is in another network namespace", "run this command inside of it", "%s", word);
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0;)
        if ((map_protocols(&run->map, port) & portset_listed(ports, port)) == 0)
            command_fail("not a placeholder of this run", "see portshim ls", "%s, port %u", word, port);
}

static int by_pid(const void *a, const void *b)
{
    pid_t one = *(const pid_t *)a, other = *(const pid_t *)b;
    return one < other ? -1 : one > other;
}

struct pids {
    pid_t *list;
    size_t count;
    bool hidden; /* a socket listens whose process we may not look into */
};

static void collect_pids(struct pids *pids, const struct survey *run, const struct portset *ports)
{
    for (unsigned p = 0; p < run->port_count; p++) {
        const struct survey_port *port = &run->ports[p];
        unsigned asked = portset_listed(ports, port->placeholder) & port->used, seen = 0;
        pids->list = reallocarray(pids->list, pids->count + port->owner_count + 1, sizeof *pids->list);
        if (pids->list == NULL)
            command_fail(portmap_strerror(-ENOMEM), "free some memory", "the list of processes");
        for (unsigned i = 0; i < port->owner_count; i++) {
            if ((port->owners[i].serves & asked) != 0)
                pids->list[pids->count++] = port->owners[i].pid;
            seen |= port->owners[i].serves;
        }
        pids->hidden |= (asked & ~seen) != 0;
    }
    if (pids->count > 0)
        qsort(pids->list, pids->count, sizeof *pids->list, by_pid);
}

/* Prints each process once, also when it has several of the ports. */
static int print_pids(const struct survey *run, const char *word, const char *port)
{
    static struct portset ports;
    struct pids pids = {0};
    const char *list = strcmp(port, "all") == 0 ? asked_list_all(&run->map) : port;
    if (*list != '\0')
        command_add_ports(&ports, list);
    check_placeholders(run, &ports, word);
    collect_pids(&pids, run, &ports);
    if (pids.count == 0 && pids.hidden)
        command_fail("another user's process is on it", "ask as that user or as root", "%s, port %s", word,
                     port);
    for (size_t i = 0; i < pids.count; i++)
        if (i == 0 || pids.list[i] != pids.list[i - 1])
            printf("%d\n", (int)pids.list[i]);
    int status = pids.count > 0 ? EXIT_SUCCESS : NOTHING_LISTENS;
    free(pids.list);
    return status;
}

/* `made` is the date on which the run was made. */
static void print_record(uint64_t made, const struct map_record *record)
{
    double age = (double)(int64_t)(record->date - made) / 1e9;
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
        printf("refused: %u -> %u: %s\n", record->placeholder, record->real,
               portmap_strerror(-record->error));
        break;
    case MAP_EVENT_EMPTY:
        printf("refused: no real port was left for %u\n", record->placeholder);
        break;
    case MAP_EVENT_UNKEYED:
        printf("not the key's port: %u -> %u was taken\n", record->placeholder, record->real);
        break;
    default:
        printf("event %u\n", record->event);
    }
}

static void print_log(const struct map *map)
{
    uint32_t size = map_log_size(map), next = map_log_next(map), first = next > size ? next - size : 0;
    if (first > 0)
        command_warn("there is no room for more", "ask earlier", "%u older records are gone", first);
    now = process_clock(); /* of the same moment as the date */
    uint64_t made = process_date() - age_of(map);
    for (uint32_t i = first; i != next; i++) {
        const struct map_record record = map_log_record(map, i);
        if (record.event != MAP_EVENT_NONE)
            print_record(made, &record);
    }
}

enum ls_kind { LS_TABLE, LS_JSON, LS_PIDS, LS_LOG };

static enum ls_kind parse_options(int argc, char **argv, bool *all)
{
    enum { JSON = 256, LOG, ALL };
    static const struct option words[] = {{"json", no_argument, NULL, JSON}, {"pids", no_argument, NULL, 'q'},
                                          {"log", no_argument, NULL, LOG},   {"all", no_argument, NULL, ALL},
                                          {"help", no_argument, NULL, 'h'},  {NULL, 0, NULL, 0}};
    enum ls_kind kind = LS_TABLE;
    for (int option; (option = command_option(argc, argv, "qh", words, help, see_help)) != -1;) {
        *all = *all || option == ALL;
        if (option == ALL)
            continue;
        if (kind != LS_TABLE)
            command_fail("it has been said what to print", see_help, "%s", argv[optind - 1]);
        kind = option == JSON ? LS_JSON : option == LOG ? LS_LOG : LS_PIDS;
    }
    if (*all && kind != LS_TABLE && kind != LS_JSON)
        command_fail("they are about living runs", see_help, "-q and --log");
    return kind;
}

/* Reads the words after the options. Returns RUN, NULL for all runs; *port is that of -q. */
static const char *read_words(enum ls_kind kind, const struct home *home, char **words, const char **port)
{
    const char *run = kind == LS_PIDS ? meant_take(home, &words, true) : *words != NULL ? *words++ : NULL;
    if (kind == LS_PIDS) {
        asked_check(words, see_help);
        *port = *words++;
    }
    if (*words != NULL)
        command_fail("too many arguments", see_help, "%s", *words);
    return kind == LS_PIDS || kind == LS_LOG ? meant_run(home, run) : run;
}

static void warn_of_lost(const struct survey *run)
{
    if (sighting_is_full(&run->map, SIGHTING_EXEC) || sighting_is_full(&run->map, SIGHTING_BIND) ||
        sighting_is_full(&run->map, SIGHTING_DEEPBIND))
        command_warn("there was no room for more", "run its parts one by one",
                     "run %s: some of what is not wrapped or not listed may be missing", run->path);
}

/* What is to be printed. */
struct listing {
    enum ls_kind kind;
    bool all; /* ended runs, too */
    struct survey *runs;
    unsigned count;
    struct ended *ended;
    unsigned ended_count;
    const char *word, *port; /* RUN, NULL for all; PORT of -q */
};

static int print(const struct listing *l)
{
    int status = EXIT_SUCCESS;
    for (unsigned i = 0; i < l->count && (l->kind == LS_JSON || l->kind == LS_TABLE); i++)
        warn_of_lost(&l->runs[i]);
    if (l->kind == LS_JSON) {
        print_json(l->runs, l->count);
        if (l->all)
            ls_ended_print_json(l->ended, l->ended_count);
        printf("}\n");
    } else if (l->kind == LS_PIDS) {
        status = print_pids(l->runs, l->word, l->port);
    } else if (l->kind == LS_LOG) {
        print_log(&l->runs->map);
    } else {
        print_table(l->runs, l->count);
        ls_ended_print(l->ended, l->ended_count, terminal_width());
    }
    return command_printed(status);
}

int command_ls(int argc, char **argv)
{
    struct home home;
    struct listing l = {0};
    l.kind = parse_options(argc, argv, &l.all);
    command_open_home(&home);
    l.word = read_words(l.kind, &home, argv + optind, &l.port);
    l.runs = calloc(MOST_RUNS, sizeof *l.runs);
    l.ended = calloc(ENDED_RECORDS, sizeof *l.ended);
    if (l.runs == NULL || l.ended == NULL)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the list of runs");
    l.count =
        l.word == NULL ? survey_every(&home, l.all, l.runs) : survey_named(&home, l.word, l.all, l.runs);
    if (l.all)
        l.ended_count = past_runs(&home, l.word, l.ended);
    if (l.kind != LS_LOG)
        look_at_sockets(l.runs, l.count);
    now = process_clock();
    int status = print(&l);
    for (unsigned i = 0; i < l.count; i++)
        survey_end(&l.runs[i]);
    free(l.runs);
    free(l.ended);
    return status;
}
