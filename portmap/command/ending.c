#include "command/ending.h"

#include "command/command.h"
#include "run/ended.h"
#include "run/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct ending *watched;
static struct ended record;
static int status_of_command = ENDED_NO_STATUS;

static bool has_map(void)
{
    return watched->run->map != NULL && watched->run->map->head != NULL;
}

/* Puts what is known of the run into the record. */
static void describe(void)
{
    if (has_map()) {
        ended_describe(&record, watched->run->map);
        return;
    }
    char *line = command_line(watched->command);
    ended_unmade(&record, watched->name, watched->files, line);
    free(line);
}

/* Opens the home of the run: what the environment says is relative to a directory that this process may have
 * left. */
static int open_home(struct home *home)
{
    char variable[PATH_MAX + sizeof "PORTSHIM_HOME="];
    char *env[] = {variable, NULL};
    const char *path = watched->run->path, *end = strstr(path, "/runs/");
    for (const char *next = end; next != NULL; next = strstr(next + 1, "/runs/"))
        end = next;
    if (end == NULL)
        return home_open_existing(home, environ);
    snprintf(variable, sizeof variable, "PORTSHIM_HOME=%.*s", (int)(end - path), path);
    return home_open_existing(home, env);
}

/* Whether the name that the run was to have is a living one's: that is what people will ask for. */
static bool is_anothers_name(const struct home *home)
{
    uint64_t holder = ended_is_unmade(&record) && record.name[0] != '\0' ? name_find(home, record.name) : 0;
    return holder != 0 && life_of(home, holder) == RUN_ALIVE;
}

static void write_record(bool may_go_on, int status)
{
    struct home home;
    if (open_home(&home) != 0)
        return;
    may_go_on = may_go_on && life_has_processes(&home, record.run_id);
    record.how = may_go_on ? ENDED_COMMAND : ENDED_EXACTLY;
    record.date = process_date();
    record.status = status;
    if (!is_anothers_name(&home))
        ended_write(&home, &record);
    home_close(&home);
}

void ending_of_discarded(int status)
{
    if (watched != NULL) {
        describe();
        write_record(false, status);
    }
    watched = NULL;
}

/* In P (trap/start.h), closing the map also closes a number that is another file's by now, or none's: so it
 * comes before anything is opened. */
void ending_record(void)
{
    bool may_go_on = watched != NULL && has_map();
    if (watched != NULL) {
        describe();
        if (may_go_on)
            files_close(watched->run->map);
        write_record(may_go_on, status_of_command);
    }
    watched = NULL;
}

static void record_failure(int status)
{
    command_before_end(NULL);
    if (status_of_command == ENDED_NO_STATUS)
        ending_of_discarded(status << 8); /* as waitpid(2) has it */
    else
        ending_record();
}

void ending_watch(const struct ending *ending)
{
    watched = ending;
    command_before_end(record_failure);
}

void ending_of_command(int status)
{
    status_of_command = status;
}

void ending_of_trapped(int status)
{
    ending_of_command(status);
    ending_record();
}
