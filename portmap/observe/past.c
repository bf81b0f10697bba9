#include "observe/past.h"

#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "run/find.h"
#include "run/life.h"
#include "run/publish.h"
#include "run/rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* If a run was found dead later after its command than this, others of its processes had gone on. */
#define AT_THE_SAME_TIME UINT64_C(5000000000) /* nanoseconds */

/* By what a word may mean an ended run. */
struct wanted {
    const char *name;
    uint64_t run_id, file;
    uint64_t directory; /* in which it was started */
};

static struct wanted wanted_of(const char *word)
{
    char path[PATH_MAX];
    struct stat st;
    struct wanted wanted = {.name = name_is_valid(word) ? word : NULL};
    bool is_there = stat(word, &st) == 0;
    if (!is_there || !S_ISDIR(st.st_mode)) {
        wanted.file = publish_path(word, path) == 0 ? ended_file(path) : 0;
        if (!is_there || publish_read_run(word, path, sizeof path) != 0)
            snprintf(path, sizeof path, "%s", word);
    } else {
        snprintf(path, sizeof path, "%s", word);
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    const char *slash = strrchr(path, '/');
    if (!rundir_id(slash != NULL ? slash + 1 : path, &wanted.run_id)) /* ls shows it */
        wanted.run_id = 0;
    if (is_there && S_ISDIR(st.st_mode) && wanted.run_id == 0 && *word == '/')
        wanted.directory = ended_file(word);
    return wanted;
}

static bool is_wanted(const struct wanted *wanted, const struct ended *ended)
{
    bool found = (wanted->run_id != 0 && ended->run_id == wanted->run_id) ||
                 (wanted->directory != 0 && ended->directory == wanted->directory) ||
                 (wanted->name != NULL && strcmp(ended->name, wanted->name) == 0);
    for (unsigned i = 0; i < ENDED_FILES; i++)
        found = found || (wanted->file != 0 && ended->files[i] == wanted->file);
    return found;
}

/* Of a run whose command was seen to end, other processes may live. */
static bool lives(const struct home *home, const struct ended *ended)
{
    if (ended->how != ENDED_COMMAND || ended->found != 0)
        return false;
    enum run_state state = life_of(home, ended->run_id);
    return state == RUN_ALIVE || state == RUN_DYING;
}

unsigned past_runs(const struct home *home, const char *word, struct ended records[static ENDED_RECORDS])
{
    struct wanted wanted = {0};
    unsigned count = ended_read(home, records), left = 0;
    if (word != NULL)
        wanted = wanted_of(word);
    for (unsigned i = 0; i < count; i++) {
        if ((word != NULL && !is_wanted(&wanted, &records[i])) || lives(home, &records[i]))
            continue;
        if (left != i)
            records[left] = records[i];
        left++;
    }
    return left;
}

bool past_last(const struct home *home, const char *word, struct ended *last)
{
    struct ended *records = calloc(ENDED_RECORDS, sizeof *records);
    unsigned count = records != NULL ? past_runs(home, word, records) : 0;
    if (count > 0)
        *last = records[0];
    free(records);
    return count > 0;
}

bool past_run(const struct home *home, uint64_t run_id, struct ended *found)
{
    struct ended *records = calloc(ENDED_RECORDS, sizeof *records);
    unsigned count = records != NULL ? ended_read(home, records) : 0, i = 0;
    while (i < count && records[i].run_id != run_id)
        i++;
    if (i < count)
        *found = records[i];
    free(records);
    return i < count;
}

void past_age(uint64_t date, char *age, size_t size)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t now = process_date(), seconds = now > date ? (now - date) / 1000000000 : 0;
    unsigned i = 0;
    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    snprintf(age, size, "%llu %s", (unsigned long long)(seconds / units[i].seconds), units[i].name);
}

void past_status(const struct ended *ended, char *text, size_t size)
{
    struct text t = text_in(text, size);
    if (ended->status == ENDED_NO_STATUS)
        return;
    if (WIFSIGNALED(ended->status))
        text_str(&t, "signal ");
    text_uint(&t, WIFSIGNALED(ended->status) ? (unsigned)WTERMSIG(ended->status)
                                             : (unsigned)WEXITSTATUS(ended->status));
}

void past_tell(const struct ended *ended, char *text, size_t size)
{
    char age[32], status[32];
    bool had_others = ended->how == ENDED_COMMAND && ended->found > ended->date + AT_THE_SAME_TIME;
    bool was_seen = ended->how != ENDED_FOUND && !had_others;
    past_age(had_others ? ended->found : ended->date, age, sizeof age);
    past_status(ended, status, sizeof status);
    snprintf(text, size, "%s %s ago%s%s%s", was_seen ? "ended" : "was found ended", age,
             had_others ? ", its command had ended" : "", *status != '\0' ? " with " : "", status);
}

bool past_unwrapped(const struct ended *ended, unsigned i, struct unwrapped *unwrapped)
{
    if (i >= ENDED_PROGRAMS || ended->programs[i].name[0] == '\0')
        return false;
    struct map_program program = {.kind = ended->programs[i].kind};
    *unwrapped = unwrapped_of(&program);
    return true;
}

static void add_part(struct text *why, const char *part)
{
    text_str(why, why->used > 0 ? ", " : "");
    text_str(why, part);
}

static void add_programs(const struct ended *ended, struct text *why, struct text *remedy)
{
    char part[256];
    struct unwrapped unwrapped;
    for (unsigned i = 0; past_unwrapped(ended, i, &unwrapped); i++) {
        snprintf(part, sizeof part, "%s is not wrapped%s (%s)", ended->programs[i].name,
                 unwrapped.in_part ? " in part" : "", unwrapped.reason);
        add_part(why, part);
        if (strstr(remedy->at, unwrapped.remedy) == NULL)
            add_part(remedy, unwrapped.remedy);
    }
}

static void add_ports(const struct ended *ended, struct text *why, struct text *remedy)
{
    char part[128];
    for (unsigned i = 0; i < ENDED_PORTS && ended->ports[i].port != 0; i++) {
        const struct ended_port *port = &ended->ports[i];
        const char *how = !port->bound       ? ", which is in use and not listed"
                          : ended->was_bound ? ", which is not listed"
                                             : " instead";
        snprintf(part, sizeof part, "%s %s %u%s", port->program, port->bound ? "bound" : "wanted", port->port,
                 how);
        add_part(why, part);
        snprintf(part, sizeof part, i == 0 ? "add -p %u" : "%u", port->port);
        if (i == 0)
            add_part(remedy, part);
        else {
            text_char(remedy, ',');
            text_str(remedy, part);
        }
    }
}

bool past_cause(const struct ended *ended, struct past_cause *cause)
{
    struct text why = text_in(cause->why, sizeof cause->why),
                remedy = text_in(cause->remedy, sizeof cause->remedy);
    add_programs(ended, &why, &remedy);
    add_ports(ended, &why, &remedy);
    if (why.used > 0 && ended->has_more)
        add_part(&why, "and more");
    text_mark_cut(&why);
    text_mark_cut(&remedy);
    return why.used > 0;
}
