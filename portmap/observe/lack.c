#include "observe/lack.h"

#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "host/processes.h"
#include "host/socket_owners.h"
#include "observe/past.h"
#include "observe/survey.h"
#include "run/life.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/rundir.h"
#include "run/sighting.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A lack that is being put into words. */
struct words {
    struct text why, remedy;
};

static struct words begin(struct lack *lack, const char *why)
{
    struct words w = {text_in(lack->why, sizeof lack->why), text_in(lack->remedy, sizeof lack->remedy)};
    text_str(&w.why, why);
    return w;
}

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    char part[PATH_MAX + 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    text_str(t, part);
}

/* `remedy` unless one was given before. */
static void end(struct words *w, const char *remedy)
{
    if (w->remedy.used == 0)
        text_str(&w->remedy, remedy);
    text_mark_cut(&w->why);
    text_mark_cut(&w->remedy);
}

/* Adds why the programs of a run did not listen, as far as they have shown it. */
static bool add_cause(struct words *w, const struct ended *run)
{
    struct past_cause cause;
    if (!past_cause(run, &cause))
        return false;
    add(&w->why, ", %s", cause.why);
    add(&w->remedy, "%s%s", w->remedy.used > 0 ? "; " : "", cause.remedy);
    return true;
}

/* What a word that means no living run is. */
struct asked {
    struct stat file;
    bool is_there, is_map, is_directory;
    char run[PATH_MAX]; /* the directory that the map file names */
};

static struct asked look_at(const char *word)
{
    struct asked asked = {.is_there = false};
    asked.is_there = stat(word, &asked.file) == 0;
    asked.is_directory = asked.is_there && S_ISDIR(asked.file.st_mode);
    asked.is_map = asked.is_there && publish_read_run(word, asked.run, sizeof asked.run) == 0;
    return asked;
}

/* Whether the map file names a run that is not there, and of whose end nothing is known. Of earlier runs that
 * had the file, something may be. */
static bool is_unseen(const struct watch *watch, const struct asked *asked)
{
    struct stat st;
    struct ended record;
    uint64_t run_id;
    const char *slash = asked->is_map ? strrchr(asked->run, '/') : NULL;
    return slash != NULL && rundir_id(slash + 1, &run_id) && stat(asked->run, &st) < 0 &&
           !past_run(watch->home, run_id, &record);
}

bool lack_is_empty_file(const char *word)
{
    struct stat st;
    return stat(word, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

/* A process that has the run in its environment, but other mounts than this one. */
struct seeking {
    struct processes_text text;
    struct stat own;
    pid_t found;
};

static bool visit(pid_t pid, void *context)
{
    struct seeking *seeking = context;
    struct stat theirs;
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    if (stat(path, &theirs) < 0 || theirs.st_ino == seeking->own.st_ino ||
        processes_find(pid, "environ", &seeking->text, 1) != 0)
        return true;
    seeking->found = pid;
    return false;
}

/* A process of the run whose /tmp, or whatever the run's home is in, is another one than this process's; 0
 * when none is known. */
static pid_t somebody_elsewhere(const char *run)
{
    char text[PATH_MAX + 32];
    struct seeking seeking = {.found = 0};
    int len = snprintf(text, sizeof text, "%cPORTSHIM_RUN=%s", '\0', run);
    seeking.text = (struct processes_text){text, (size_t)len + 1}; /* with its end */
    if (stat("/proc/self/ns/mnt", &seeking.own) == 0)
        processes_each(visit, &seeking);
    return seeking.found;
}

static void add_unseen(struct words *w, const struct asked *asked)
{
    pid_t pid = somebody_elsewhere(asked->run);
    if (pid != 0)
        add(&w->why, ", process %d has the one that the file names, in another /tmp", (int)pid);
    else
        add(&w->why, ", %s, which the file names, is not there: it has ended, or is in another /tmp",
            asked->run);
    add(&w->why, ", as with PrivateTmp of systemd");
    add(&w->remedy, "set PORTSHIM_HOME to a directory that both see");
}

static void add_nobody(struct words *w, const struct watch *watch, const struct asked *asked)
{
    const char *slash = strrchr(watch->word, '/');
    uint64_t run_id;
    if (asked->is_there && S_ISREG(asked->file.st_mode) && asked->file.st_size == 0) {
        add(&w->why, ", the file is empty");
        add(&w->remedy, "start one with -m %s", watch->word);
    } else if (slash != NULL && rundir_id(slash + 1, &run_id)) {
        add(&w->why, ", and that directory will be no other's");
        add(&w->remedy, "name the run, or its map file");
    } else if (asked->is_directory && *watch->word == '/') {
        add(&w->why, ", none was started there");
        add(&w->remedy, "start one there, or name one of portshim ls");
    } else if (name_is_valid(watch->word)) {
        add(&w->why, ", %s has none of that name%s", watch->home->path,
            asked->is_there ? "" : ", and there is no such file");
        add(&w->remedy, "start one with -n %s, or set PORTSHIM_HOME as it was set there", watch->word);
    } else {
        add(&w->why, ", there is no such file");
        add(&w->remedy, "start one that has it as its map file, with -m");
    }
}

/* The record of the last run that the word means. Of one that has just ended there is none yet, and the last
 * that there is may be another's. */
static bool find_last(const struct watch *watch, int error, struct ended *last)
{
    return past_last(watch->home, watch->word, last) &&
           (error != PORTMAP_EENDED || last->run_id == watch->run_id);
}

void lack_of_run(struct lack *lack, const struct watch *watch, int error)
{
    char how[96];
    struct ended last;
    struct words w = begin(lack, "no such run yet");
    const struct asked asked = look_at(watch->word);
    if (is_unseen(watch, &asked)) {
        add_unseen(&w, &asked);
    } else if (find_last(watch, error, &last)) {
        past_tell(&last, how, sizeof how);
        add(&w.why, ", the last one %s", how);
        add_cause(&w, &last);
    } else if (error == PORTMAP_EENDED) {
        add(&w.why, ", the last one has ended");
    } else {
        add_nobody(&w, watch, &asked);
    }
    end(&w, "see what its program said, and start it again");
}

void lack_of_right(struct lack *lack, const char *word)
{
    struct asked asked = look_at(word);
    struct stat run;
    struct words w = begin(lack, "");
    if (!asked.is_map)
        snprintf(asked.run, sizeof asked.run, "%s", word);
    if (stat(asked.run, &run) == 0 && run.st_uid != kernel_euid()) {
        add(&w.why, "it is a run of another user, uid %u", (unsigned)run.st_uid);
        end(&w, "ask as that user");
        return;
    }
    char *end_of_home = strstr(asked.run, "/runs/");
    if (end_of_home != NULL)
        *end_of_home = '\0';
    add(&w.why, "it is a run of another home, %s", asked.run);
    add(&w.remedy, "set PORTSHIM_HOME=%s", asked.run);
    end(&w, "");
}

/* One placeholder on which nothing listens as it was asked for. */
static bool add_port(struct words *w, const struct survey_port *port, unsigned asked)
{
    char program[32] = "a program";
    if (port->owner_count > 0)
        process_name(port->owners[0].pid, program, sizeof program);
    if (port->used != 0) {
        add(&w->why, ", %s has %u/%s, not %u/%s", program, port->placeholder,
            port->used == PORTMAP_TCP ? "tcp" : "udp", port->placeholder,
            asked == PORTMAP_TCP ? "tcp" : "udp");
        return true;
    }
    if (port->state == SURVEY_BOUND)
        add(&w->why, ", %s has bound %u, but does not listen", program, port->placeholder);
    else if (port->state == SURVEY_GONE)
        add(&w->why, ", %u was bound, and is not any more", port->placeholder);
    return port->state == SURVEY_BOUND || port->state == SURVEY_GONE;
}

/* Placeholders that were not asked for, and on which something listens. */
static bool add_others(struct words *w, const struct survey *survey, const struct portset *asked)
{
    enum { MOST = 4 };
    unsigned found = 0;
    for (unsigned p = 0; p < survey->port_count && found <= MOST; p++) {
        const struct survey_port *port = &survey->ports[p];
        if (port->used == 0 || portset_listed(asked, port->placeholder) != 0)
            continue;
        if (found == MOST)
            add(&w->why, " and others");
        else
            add(&w->why, found == 0 ? ", something listens on %u" : ", %u", port->placeholder);
        found++;
    }
    return found > 0;
}

/* The protocols that were asked for on a port, when nothing can be reached there by them; else 0. */
static unsigned missing_on(const struct survey_port *port, const struct portset *asked)
{
    unsigned protocols = portset_listed(asked, port->placeholder) & port->protocols;
    return (port->used & protocols) == 0 ? protocols : 0;
}

/* Of several that were asked for, those on which nothing listens. */
static void add_missing(struct words *w, const struct survey *survey, const struct portset *asked)
{
    enum { MOST = 8 };
    unsigned found = 0;
    for (unsigned p = 0; portset_count(asked) > 1 && p < survey->port_count && found <= MOST; p++) {
        if (missing_on(&survey->ports[p], asked) == 0)
            continue;
        if (found == MOST)
            add(&w->why, " and others");
        else
            add(&w->why, found == 0 ? " on %u" : ",%u", survey->ports[p].placeholder);
        found++;
    }
}

static bool add_survey(struct words *w, const struct survey *survey, const struct portset *asked)
{
    bool any = false;
    for (unsigned p = 0; p < survey->port_count; p++) {
        unsigned protocols = missing_on(&survey->ports[p], asked);
        if (protocols != 0)
            any = add_port(w, &survey->ports[p], protocols) || any;
    }
    return add_others(w, survey, asked) || any;
}

bool lack_of_listener(struct lack *lack, const struct watch *watch, const char *ports, bool in_full)
{
    static struct portset asked;
    static struct survey survey;
    struct problem problem;
    struct ended run;
    struct words w = begin(lack, "nothing listens yet");
    memset(&asked, 0, sizeof asked);
    if (*ports != '\0')
        portset_add(&asked, ports, &problem);
    in_full = in_full && survey_run(&survey, watch->home, watch->run_id) == 0;
    bool sees = in_full && !survey.elsewhere && survey_sockets(&survey, 1) == 0;
    if (sees)
        add_missing(&w, &survey, &asked);
    ended_describe(&run, watch->map);
    bool known = add_cause(&w, &run);
    if (sees)
        known = add_survey(&w, &survey, &asked) || known;
    if (sees && !known && !run.was_bound)
        add(&w.why, ", its programs have bound no placeholder");
    if (in_full)
        survey_end(&survey);
    end(&w, "see what its program says, or wait longer with -t");
    return known;
}

void lack_of_start(struct lack *lack, const struct ended *run)
{
    char status[32] = "";
    struct words w = begin(lack, "the run has ended");
    past_status(run, status, sizeof status);
    if (*status != '\0')
        add(&w.why, " with %s", status);
    if (!run->was_bound) /* else it may have listened, and on that port */
        add(&w.why, " before it listened");
    add_cause(&w, run);
    end(&w, "see what its program said");
}

void lack_of_life(struct lack *lack, const struct watch *watch)
{
    struct ended run, none = {.status = ENDED_NO_STATUS};
    ended_describe(&run, watch->map);
    bool is_known = life_has_head(watch->map, watch->run_id); /* else it is another run's map by now */
    is_known = past_run(watch->home, watch->run_id, &run) || is_known;
    lack_of_start(lack, is_known ? &run : &none);
}

void lack_of_placeholder(struct lack *lack, const struct map *map, unsigned port)
{
    struct words w = begin(lack, "not a placeholder of this run, which has ");
    struct sighting s;
    struct portbits assigned;
    bool is_first = true;
    publish_assigned(map, &assigned);
    w.why.size = 256;
    for (unsigned p = 0; (p = portbits_next(&assigned, p)) != 0; is_first = false) {
        static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
        add(&w.why, "%s%u%s", is_first ? "" : ",", p, suffixes[map_protocols(map, p)]);
    }
    text_mark_cut(&w.why);
    w.why.size = sizeof lack->why;
    w.why.cut = false;
    if (is_first)
        add(&w.why, "none yet");
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++)
        if ((s.kind == SIGHTING_BIND || s.kind == SIGHTING_REFUSED) && s.port == port) {
            add(&w.why, ", %s %s it as it is", sighting_program_name(map, s.program).text,
                s.kind == SIGHTING_BIND ? "bound" : "wanted");
            add(&w.remedy, "add -p %u when the run is started", port);
            break;
        }
    end(&w, "list it with -p when the run is started");
}

/* Whether a word is the directory or the id of this run. */
static bool is_of_run(const char *word, const struct ended *run)
{
    char path[PATH_MAX];
    uint64_t run_id;
    snprintf(path, sizeof path, "%s", word);
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    const char *slash = strrchr(path, '/');
    return rundir_id(slash != NULL ? slash + 1 : path, &run_id) && run_id == run->run_id &&
           strcmp(run->name, word) != 0;
}

bool lack_last_run(struct lack_last *last, const struct watch *watch, int error, uint64_t since)
{
    char how[96];
    struct ended ended;
    const struct asked asked = look_at(watch->word);
    const char *what = asked.is_directory ? "directory" : asked.is_there ? "map file" : "name";
    last->is_new = last->is_only = false;
    if (is_unseen(watch, &asked))
        return false;
    if (find_last(watch, error, &ended)) {
        past_tell(&ended, how, sizeof how);
        what = strcmp(ended.name, watch->word) == 0 ? "name" : asked.is_directory ? "directory" : "map file";
        snprintf(last->text, sizeof last->text, "the last run of that %s %s", what, how);
        last->is_new = ended.made >= since;
        last->is_only = is_of_run(watch->word, &ended);
        last->run = ended;
        return true;
    }
    if (error != PORTMAP_EENDED)
        return false;
    snprintf(last->text, sizeof last->text, "the last run of that %s has ended", what);
    return true;
}
