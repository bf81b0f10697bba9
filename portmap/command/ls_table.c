#include "command/ls_table.h"

#include "command/command.h"
#include "command/ls_line.h"
#include "error.h"
#include "host/process.h"
#include "host/socket_owners.h"
#include "observe/load.h"
#include "observe/unwrapped.h"
#include "run/keyed.h"
#include "run/sighting.h"
#include "run/supervisors.h"
#include "run/texts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_SIZE = 80,
    LINE_SIZE = 4096 /* enough for a run's command line, which is cut to a kilobyte */
};

/* The widths of the table and of the columns that vary. */
struct table {
    unsigned width; /* 0 for any */
    int name, lease, pid;
    uint64_t now; /* for the ages */
};

static const char *protocol_suffix(unsigned protocols)
{
    static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
    return suffixes[protocols];
}

/* Writes the age as "45s", "12m", "3h" or "2d". */
static void write_age(const struct map *map, uint64_t now, char *age, size_t size)
{
    uint64_t seconds = survey_age(map, now) / 1000000000;
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
    if (asprintf(&line, "  %-9s  %5u  %-9s  %-*s  %-*s  %s", number, port->real, survey_state_name(run, port),
                 table->lease, port->lease, table->pid, pids, command != NULL ? command : "-") < 0)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the list of runs");
    ls_line_print(line, table->width);
    free(line);
    free(command);
}

static void print_run(const struct survey *run, const struct table *table)
{
    char line[LINE_SIZE], name[NAME_SIZE], age[16];
    const char *command = texts_get(&run->map, TEXT_COMMAND, 0);
    write_run_name(run, name, sizeof name);
    write_age(&run->map, table->now, age, sizeof age);
    snprintf(line, sizeof line, "%-*s  %4s  %s", table->name, name, age,
             command != NULL && *command != '\0' ? command : "(by hand)");
    ls_line_print(line, table->width);
}

static void print_load(const struct survey *run, struct sighting s, const struct table *table)
{
    char line[512];
    const struct load *load = load_of(s.kind);
    if (load == NULL)
        return;
    snprintf(line, sizeof line, "  %s: libraries of %s: %s %s: %s", load->wrapped ? "wrapped" : "not wrapped",
             sighting_program_name(&run->map, s.program).text, load->by, load->why, load->remedy);
    ls_line_print(line, table->width);
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
        ls_line_print(line, table->width);
    }
}

static void print_notes(const struct survey *run, const struct table *table)
{
    char line[512];
    struct map_program program;
    if (run->ending)
        ls_line_print((char[]){"  no process is left"}, table->width);
    if (run->elsewhere)
        ls_line_print((char[]){"  in another network namespace: ask there"}, table->width);
    if (supervisors_killed(&run->map) > 0)
        ls_line_print(
            (char[]){"  a supervisor was killed: calls about ports fail in programs that were under it: "
                     "start them again"},
            table->width);
    for (unsigned n = 0; sighting_hooked_by_trap(&run->map, &n, &program);) {
        snprintf(line, sizeof line, "  wrapped by the trap: %s: %s", program.name,
                 sighting_obstacle(&program)->why);
        ls_line_print(line, table->width);
    }
    for (unsigned n = 0; sighting_unhookable(&run->map, &n, &program);) {
        const struct unwrapped unwrapped = unwrapped_of(&program);
        ls_line_not_wrapped(program.name, &unwrapped, table->width);
    }
    print_missed(run, table);
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(&run->map, n)).kind != SIGHTING_NONE; n++)
        print_load(run, s, table);
    for (unsigned n = 0; (s = sighting_get(&run->map, n)).kind != SIGHTING_NONE; n++)
        if (s.kind == SIGHTING_BIND || s.kind == SIGHTING_REFUSED)
            ls_line_not_listed(s.port, s.kind == SIGHTING_BIND,
                               sighting_program_name(&run->map, s.program).text, table->width);
}

static void widen(int *column, int width)
{
    if (width > *column)
        *column = width;
}

/* Makes the columns as wide as their contents; the name's has a maximum, which longer names exceed. */
static void measure(struct table *table, const struct survey *runs, unsigned count, uint64_t now)
{
    char text[NAME_SIZE];
    *table = (struct table){.width = ls_line_width(), .name = LS_NAME_MIN, .lease = 5, .pid = 3, .now = now};
    for (unsigned i = 0; i < count; i++) {
        write_run_name(&runs[i], text, sizeof text);
        widen(&table->name, (int)strlen(text));
        for (unsigned p = 0; p < runs[i].port_count; p++) {
            widen(&table->lease, (int)strlen(runs[i].ports[p].lease));
            widen(&table->pid, write_pids(&runs[i].ports[p], text, sizeof text));
        }
    }
    if (table->name > LS_NAME_MAX)
        table->name = LS_NAME_MAX;
}

void ls_table_print(const struct survey *runs, unsigned count, uint64_t now)
{
    struct table table;
    char line[LINE_SIZE];
    if (count == 0)
        return;
    measure(&table, runs, count, now);
    snprintf(line, sizeof line, "%-*s  %4s  %s", table.name, "RUN", "AGE", "COMMAND");
    ls_line_print(line, table.width);
    snprintf(line, sizeof line, "  %-9s  %5s  %-9s  %-*s  %-*s  %s", "PORT", "REAL", "STATE", table.lease,
             "LEASE", table.pid, "PID", "COMMAND");
    ls_line_print(line, table.width);
    for (unsigned i = 0; i < count; i++) {
        print_run(&runs[i], &table);
        for (unsigned p = 0; p < runs[i].port_count; p++)
            print_port(&runs[i], &runs[i].ports[p], &table);
        print_notes(&runs[i], &table);
    }
}
