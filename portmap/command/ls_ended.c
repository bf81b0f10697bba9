#include "command/ls_ended.h"

#include "base/json.h"
#include "command/ls_json.h"
#include "command/ls_line.h"
#include "observe/past.h"
#include "run/rundir.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { LINE_SIZE = 640, STATUS_COLUMN = 8 };

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
    ls_line_print(line, width);
}

static void print_notes(const struct ended *ended, unsigned width)
{
    struct unwrapped unwrapped;
    for (unsigned i = 0; past_unwrapped(ended, i, &unwrapped); i++)
        ls_line_not_wrapped(ended->programs[i].name, &unwrapped, width);
    for (unsigned i = 0; i < ENDED_PORTS && ended->ports[i].port != 0; i++)
        ls_line_not_listed(ended->ports[i].port, ended->ports[i].bound, ended->ports[i].program, width);
}

void ls_ended_print(const struct ended *records, unsigned count, unsigned width)
{
    char line[LINE_SIZE], name[NAME_MAX_LENGTH + 1];
    int column = LS_NAME_MIN;
    for (unsigned i = 0; i < count; i++) {
        write_name(&records[i], name, sizeof name);
        if ((int)strlen(name) > column)
            column = (int)strlen(name) < LS_NAME_MAX ? (int)strlen(name) : LS_NAME_MAX;
    }
    if (count == 0)
        return;
    snprintf(line, sizeof line, "%-*s  %4s  %-*s  %s", column, "ENDED", "AGO", STATUS_COLUMN, "STATUS",
             "COMMAND");
    ls_line_print(line, width);
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
    unsigned count = 0;
    printf(",\"not_wrapped\":[");
    for (unsigned i = 0; past_unwrapped(ended, i, &unwrapped); i++)
        ls_json_not_wrapped(&count, ended->programs[i].name, &unwrapped);
    printf("],\"not_listed\":[");
    count = 0;
    for (unsigned i = 0; i < ENDED_PORTS && ended->ports[i].port != 0; i++)
        ls_json_not_listed(&count, ended->ports[i].port, ended->ports[i].bound, ended->ports[i].program);
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
    for (unsigned i = 0, printed = 0; i < count; i++) {
        json_separate(stdout, &printed, ",\n ");
        json_run(&records[i]);
    }
    printf("]");
}
