#include "command/ls_ended.h"

#include "base/json.h"
#include "base/utf8.h"
#include "observe/past.h"
#include "run/rundir.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { LINE_SIZE = 640, NAME_COLUMN_MAX = 32, NAME_COLUMN = 9, STATUS_COLUMN = 8 };

static void print_line(char *line, unsigned width)
{
    utf8_fit(line, width);
    puts(line);
}

static void write_name(const struct ended *ended, char *name, size_t size)
{
    if (ended->name[0] != '\0')
        snprintf(name, size, "%s", ended->name);
    else if (ended_is_unmade(ended))
        snprintf(name, size, "-");
    else
        snprintf(name, size, "%014llx", (unsigned long long)ended->run_id);
}

/* ">" before the age: it ended earlier, when nobody looked. */
static void write_age(const struct ended *ended, char *age, size_t size)
{
    char text[24], *blank;
    past_age(ended->date, text, sizeof text);
    if ((blank = strchr(text, ' ')) != NULL) /* as in the list of living runs: "12m" */
        snprintf(blank, sizeof text - (size_t)(blank - text), "%c", blank[1]);
    snprintf(age, size, "%s%s", ended->how == ENDED_FOUND ? ">" : "", text);
}

static void print_run(const struct ended *ended, int column, unsigned width)
{
    char line[LINE_SIZE], name[NAME_MAX_LENGTH + 1], age[32], status[32];
    write_name(ended, name, sizeof name);
    write_age(ended, age, sizeof age);
    past_status(ended, status, sizeof status);
    snprintf(line, sizeof line, "%-*s  %4s  %-*s  %s", column, name, age, STATUS_COLUMN,
             *status != '\0' ? status : "-", ended->command[0] != '\0' ? ended->command : "(by hand)");
    print_line(line, width);
}

static void print_notes(const struct ended *ended, unsigned width)
{
    char line[LINE_SIZE];
    struct unwrapped unwrapped;
    for (unsigned i = 0; past_unwrapped(ended, i, &unwrapped); i++) {
        snprintf(line, sizeof line, "  not wrapped: %s%s: %s: %s", ended->programs[i].name,
                 unwrapped.in_part ? ", in part" : "", unwrapped.reason, unwrapped.remedy);
        print_line(line, width);
    }
    for (unsigned i = 0; i < ENDED_PORTS && ended->ports[i].port != 0; i++) {
        snprintf(line, sizeof line, "  not listed: %u: %s by %s: add -p %u", ended->ports[i].port,
                 ended->ports[i].bound ? "bound" : "in use, wanted", ended->ports[i].program,
                 ended->ports[i].port);
        print_line(line, width);
    }
}

void ls_ended_print(const struct ended *records, unsigned count, unsigned width)
{
    char line[LINE_SIZE], name[NAME_MAX_LENGTH + 1];
    int column = NAME_COLUMN;
    for (unsigned i = 0; i < count; i++) {
        write_name(&records[i], name, sizeof name);
        if ((int)strlen(name) > column)
            column = (int)strlen(name) < NAME_COLUMN_MAX ? (int)strlen(name) : NAME_COLUMN_MAX;
    }
    if (count == 0)
        return;
    snprintf(line, sizeof line, "%-*s  %4s  %-*s  %s", column, "ENDED", "AGO", STATUS_COLUMN, "STATUS",
             "COMMAND");
    print_line(line, width);
    for (unsigned i = 0; i < count; i++) {
        print_run(&records[i], column, width);
        print_notes(&records[i], width);
    }
}

static void json_number(const char *key, bool known, int number)
{
    if (known)
        printf(",\"%s\":%d", key, number);
    else
        printf(",\"%s\":null", key);
}

static void json_notes(const struct ended *ended)
{
    struct unwrapped unwrapped;
    printf(",\"not_wrapped\":[");
    for (unsigned i = 0; past_unwrapped(ended, i, &unwrapped); i++) {
        printf("%s{\"program\":", i > 0 ? "," : "");
        json_string(stdout, ended->programs[i].name);
        printf(",\"in_part\":%s,\"reason\":\"%s\",\"remedy\":\"%s\"}", unwrapped.in_part ? "true" : "false",
               unwrapped.reason, unwrapped.remedy);
    }
    printf("],\"not_listed\":[");
    for (unsigned i = 0; i < ENDED_PORTS && ended->ports[i].port != 0; i++) {
        const struct ended_port *port = &ended->ports[i];
        printf("%s{\"port\":%u,\"program\":", i > 0 ? "," : "", port->port);
        json_string(stdout, port->program);
        printf(",\"bound\":%s,\"remedy\":\"-p %u\"}", port->bound ? "true" : "false", port->port);
    }
    printf("]}");
}

static void json_run(const struct ended *ended)
{
    static const char *const states[] = {
        [ENDED_EXACTLY] = "ended", [ENDED_COMMAND] = "command ended", [ENDED_FOUND] = "found ended"};
    bool is_known = ended->status != ENDED_NO_STATUS;
    bool by_signal = is_known && WIFSIGNALED(ended->status);
    if (ended_is_unmade(ended))
        printf("{\"id\":null");
    else
        printf("{\"id\":\"%014llx\"", (unsigned long long)ended->run_id);
    printf(",\"name\":");
    json_string(stdout, ended->name[0] != '\0' ? ended->name : NULL);
    printf(",\"command\":");
    json_string(stdout, ended->command);
    printf(",\"state\":\"%s\",\"date\":%.3f", states[ended->how], (double)ended->date / 1e9);
    json_number("status", is_known && !by_signal, WEXITSTATUS(ended->status));
    json_number("signal", by_signal, WTERMSIG(ended->status));
    json_notes(ended);
}

void ls_ended_print_json(const struct ended *records, unsigned count)
{
    printf(",\n\"ended\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            printf(",\n ");
        json_run(&records[i]);
    }
    printf("]");
}
