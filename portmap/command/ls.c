/* portshim ls: lists the runs of this user, their ports, and the processes that use them. */
#include "command/asked.h"
#include "command/command.h"
#include "command/ls_ended.h"
#include "command/ls_json.h"
#include "command/ls_line.h"
#include "command/ls_log.h"
#include "command/ls_pids.h"
#include "command/ls_table.h"
#include "command/meant.h"
#include "error.h"
#include "host/process.h"
#include "observe/past.h"
#include "observe/survey.h"
#include "run/find.h"
#include "run/sighting.h"
#include "run/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_RUNS = 1024 };

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
    uint64_t now = process_clock();
    for (unsigned i = 0; i < l->count && (l->kind == LS_JSON || l->kind == LS_TABLE); i++)
        warn_of_lost(&l->runs[i]);
    if (l->kind == LS_JSON) {
        putchar('{');
        ls_json_print(l->runs, l->count, now);
        if (l->all)
            ls_ended_print_json(l->ended, l->ended_count);
        puts("}");
    } else if (l->kind == LS_PIDS) {
        status = ls_pids_print(l->runs, l->word, l->port);
    } else if (l->kind == LS_LOG) {
        ls_log_print(&l->runs->map);
    } else {
        ls_table_print(l->runs, l->count, now);
        ls_ended_print(l->ended, l->ended_count, ls_line_width());
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
    int status = print(&l);
    for (unsigned i = 0; i < l.count; i++)
        survey_end(&l.runs[i]);
    free(l.runs);
    free(l.ended);
    return status;
}
