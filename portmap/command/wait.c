/* portshim wait: sleeps until something listens, then prints where. */
#include "base/utf8.h"
#include "command/asked.h"
#include "command/command.h"
#include "command/meant.h"
#include "error.h"
#include "host/sockdiag.h"
#include "observe/lack.h"
#include "observe/watch.h"
#include "run/supervisors.h"
#include "run/sweep.h"
#include "run/voice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long to sleep at most between two looks: a process that could not open the map wakes nobody. */
enum { NAP_MILLISECONDS = 50, FIND_MILLISECONDS = 5 };

static const char help[] =
    "usage: portshim wait [-t SECONDS] [--json] [RUN] PORT...\n"
    "\n"
    "Waits until every PORT (a placeholder; 53/udp for one protocol) of the run is listening, then prints "
    "the\n"
    "real ports, one a line, in the order given. RUN is a name, a run directory or a map file, and may not\n"
    "exist yet; without it, it is the run that is started in this directory, or nearest above it. PORT\n"
    "\"all\" stands for every placeholder that has a real port; there has to be one. On a terminal, and\n"
    "without -t, stderr tells what is waited for, unless PORTSHIM_QUIET is set.\n"
    "\n"
    "  -t, --timeout SECONDS  give up after so long (fractions allowed); default: never\n"
    "      --json             print JSON: an object with run and ports[]\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0; 124 when the time is over; 125 when the run has ended, or portshim failed.\n";

static const char see_help[] = "see portshim wait --help";

struct waiting {
    struct watch watch;
    uint64_t deadline; /* process_clock(); 0 for none */
    int diag;
    char **words;
    unsigned done; /* how many of the words are listening */
    bool here;     /* RUN was left out */
    bool all, json, terminal;
    uint64_t tell_at; /* process_clock() when the terminal is to be written to next */
    bool told;        /* the line of tell() is on the terminal */
    bool told_of_supervisor;
    bool quiet;          /* PORTSHIM_QUIET */
    bool told_in_a_line; /* what is waited for, where there is no terminal */
    bool told_why;       /* what is known to keep the run's programs from listening */
    bool told_of_last;   /* that the last run has ended */
    bool saw_new;        /* one that was made and has ended since the wait began */
    int error;           /* why the run was not found */
    uint64_t since;      /* process_date() when the wait began */
    uint64_t look_at;    /* process_clock() when to look for the last run again */
};

/* Nanoseconds. Who starts a run and a wait for it at the same time is not told of the last one. */
#define TELL_AFTER UINT64_C(300000000)
#define LAST_AFTER UINT64_C(100000000)

static unsigned terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static const char *missing(const struct waiting *waiting)
{
    const char *word = waiting->words[waiting->done];
    return *word != '\0' ? word : "all";
}

/* Why nothing listens, as far as the run's programs have shown it. False when they have not. */
static bool explain(const struct waiting *waiting, struct lack *lack)
{
    return lack_of_listener(lack, &waiting->watch, waiting->words[waiting->done], false);
}

/* Writes what is missing on one line of the terminal, over the line before. The line must not wrap. */
static void tell_terminal(struct waiting *waiting)
{
    char line[1024];
    struct lack lack;
    unsigned width = terminal_width();
    if (waiting->watch.map == NULL)
        snprintf(line, sizeof line, "waiting for %s: no such run yet", waiting->watch.word);
    else if (explain(waiting, &lack))
        snprintf(line, sizeof line, "waiting for %s: %s: %.800s", waiting->watch.word, missing(waiting),
                 lack.why);
    else
        snprintf(line, sizeof line, "waiting for %s: %s", waiting->watch.word, missing(waiting));
    utf8_fit(line, width > 1 ? width - 1 : width);
    fprintf(stderr, "\r\033[K%s", line);
    waiting->told = true;
}

/* Clears the line of tell(). To be called before anything else is written. */
static void end_telling(struct waiting *waiting)
{
    if (waiting->told)
        fputs("\r\033[K", stderr);
    waiting->told = false;
}

/* A run that was made and has ended while it was waited for, and that nobody has seen, ends the wait; so does
 * one that the word means alone. Of the last one before it is said once that it has ended. */
static void look_for_last(struct waiting *waiting)
{
    struct lack lack;
    struct lack_last last;
    uint64_t now = process_clock();
    bool is_over = waiting->deadline != 0 && now >= waiting->deadline; /* give_up() tells it, too */
    if (now < waiting->look_at || is_over)
        return;
    waiting->look_at = now + LAST_AFTER;
    if (waiting->error == PORTMAP_EENDED) {
        if (watch_is_alive(&waiting->watch)) /* a process may just be executing a program */
            return;
        sweep_ended(waiting->watch.home, waiting->watch.run_id);
    }
    if (!lack_last_run(&last, &waiting->watch, waiting->error, waiting->since))
        return;
    bool is_only = last.is_only && !waiting->here;
    if (is_only || (last.is_new && waiting->saw_new)) { /* else the next one may just be starting */
        end_telling(waiting);
        lack_of_start(&lack, &last.run);
        command_fail(lack.why, lack.remedy, "%s, port %s", waiting->watch.word, missing(waiting));
    }
    waiting->saw_new = last.is_new;
    if (last.is_new)
        return;
    if (!waiting->told_of_last && !waiting->quiet) {
        end_telling(waiting);
        command_complain(last.text, "waiting for a new one", "%s", waiting->watch.word);
        waiting->told_in_a_line = true;
    }
    waiting->told_of_last = true;
}

/* Where there is neither a terminal nor an end to the waiting: says once what is waited for, and once what is
 * known to keep it from coming. */
static void tell_in_a_line(struct waiting *waiting)
{
    struct lack lack;
    bool why = waiting->watch.map != NULL && !waiting->told_why && explain(waiting, &lack);
    if (why || !waiting->told_in_a_line) {
        if (waiting->watch.map == NULL)
            lack_of_run(&lack, &waiting->watch, waiting->error);
        else if (!why)
            explain(waiting, &lack);
        command_complain(lack.why, why ? lack.remedy : "waiting for it", "%s, port %s", waiting->watch.word,
                         missing(waiting));
    }
    waiting->told_in_a_line = true;
    waiting->told_why = waiting->told_why || why;
}

static void tell(struct waiting *waiting)
{
    uint64_t now = process_clock();
    if (waiting->quiet || now < waiting->tell_at)
        return;
    if (waiting->watch.map == NULL) {
        waiting->look_at = now;
        look_for_last(waiting); /* what it says need not be said again */
        if (waiting->saw_new)
            return;
    }
    if (waiting->terminal)
        tell_terminal(waiting);
    else if (waiting->deadline == 0)
        tell_in_a_line(waiting);
    waiting->tell_at = now + TELL_AFTER;
}

static void give_up(struct waiting *waiting)
{
    struct lack lack;
    end_telling(waiting);
    if (waiting->watch.map == NULL)
        lack_of_run(&lack, &waiting->watch, waiting->error);
    else
        lack_of_listener(&lack, &waiting->watch, waiting->words[waiting->done], true);
    command_end(COMMAND_TIMED_OUT, lack.why, lack.remedy, "%s, port %s", waiting->watch.word,
                missing(waiting));
}

/* Milliseconds to sleep, at most `most` and not beyond the deadline. Gives up when the deadline is over. */
static unsigned nap(struct waiting *waiting, unsigned most)
{
    uint64_t now = process_clock();
    if (waiting->deadline == 0)
        return most;
    if (now >= waiting->deadline)
        give_up(waiting);
    uint64_t left = (waiting->deadline - now) / 1000000 + 1;
    return left < most ? (unsigned)left : most;
}

/* Finds the run that is meant now where RUN was left out. As long as there is none, the word is the working
 * directory: it may mean ended runs that were started there. */
static int look_here(struct waiting *waiting)
{
    static char here[PATH_MAX], path[PATH_MAX];
    struct problem problem;
    int error = meant_here(waiting->watch.home, path, &problem);
    if (error != 0 && error != PORTMAP_ENORUN) {
        end_telling(waiting);
        command_fail_of(&problem);
    }
    waiting->watch.word = error == 0 ? path : getcwd(here, sizeof here);
    if (waiting->watch.word == NULL)
        command_fail(portmap_strerror(-errno), "name a run", "the working directory");
    uint64_t ended = error != 0 ? meant_ended_here(waiting->watch.home) : 0;
    if (ended == 0)
        return error;
    waiting->watch.run_id = ended;
    return PORTMAP_EENDED;
}

/* What watch_find() says. An empty file is one to which a run may be going to write its map. */
static int look_for(struct waiting *waiting)
{
    int error = waiting->here ? look_here(waiting) : 0;
    if (error == 0)
        error = watch_find(&waiting->watch);
    return error == PORTMAP_ESYNTAX && lack_is_empty_file(waiting->watch.word) ? PORTMAP_ENORUN : error;
}

static void find(struct waiting *waiting)
{
    int error;
    struct lack lack;
    while ((error = look_for(waiting)) == PORTMAP_ENORUN || error == PORTMAP_EENDED) {
        waiting->error = error;
        look_for_last(waiting);
        tell(waiting);
        usleep(nap(waiting, waiting->here ? NAP_MILLISECONDS : FIND_MILLISECONDS) * 1000);
    }
    end_telling(waiting);
    if (error == PORTMAP_EFOREIGN) {
        lack_of_right(&lack, waiting->watch.word);
        command_fail(lack.why, lack.remedy, "%s", waiting->watch.word);
    }
    if (error != 0)
        command_fail(portmap_strerror(error), "name a run, its directory or its map file", "%s",
                     waiting->watch.word);
    if (process_is_other_network(waiting->watch.map->head->net_namespace))
        command_fail("the run is in another network namespace", "run this command inside of it", "%s",
                     waiting->watch.word);
}

_Noreturn static void fail_of_placeholder(const struct waiting *waiting, unsigned port)
{
    struct lack lack;
    lack_of_placeholder(&lack, waiting->watch.map, port);
    command_fail(lack.why, lack.remedy, "%s, port %u", waiting->watch.word, port);
}

static void check_placeholders(const struct waiting *waiting, const char *word)
{
    static struct portset ports;
    memset(&ports, 0, sizeof ports);
    command_add_ports(&ports, word);
    for (unsigned port = 0; (port = portset_next_listed(&ports, port)) != 0;)
        if ((map_protocols(waiting->watch.map, port) & portset_listed(&ports, port)) == 0)
            fail_of_placeholder(waiting, port);
}

/* Whether something listens on every port that a word lists. */
static bool is_listening(struct waiting *waiting, const char *word)
{
    static struct portset ports;
    memset(&ports, 0, sizeof ports);
    if (*word == '\0') /* "all" of a run that has no placeholder yet */
        return false;
    command_add_ports(&ports, word);
    for (unsigned port = 0; (port = portset_next_listed(&ports, port)) != 0;) {
        unsigned protocols = portset_listed(&ports, port);
        int listening = watch_is_listening(&waiting->watch, waiting->diag, port, protocols);
        if (listening < 0) {
            end_telling(waiting);
            command_fail(portmap_strerror(listening), "enable the kernel's inet_diag", "sockets on port %u",
                         port);
        }
        if (listening == 0)
            return false;
    }
    return true;
}

_Noreturn static void end_with_run(struct waiting *waiting)
{
    struct lack lack;
    end_telling(waiting);
    lack_of_life(&lack, &waiting->watch);
    command_fail(lack.why, lack.remedy, "%s, port %s", waiting->watch.word, missing(waiting));
}

/* Says once that a supervisor was killed. The program that is waited for may be one that fails now, or one of
 * another supervisor; and who has dropped privileges can say that of the run, too. */
static void tell_of_supervisor(struct waiting *waiting)
{
    if (waiting->told_of_supervisor || supervisors_killed(waiting->watch.map) == 0)
        return;
    end_telling(waiting);
    command_warn("a supervisor of the run's programs was killed", "start them again, if it was theirs",
                 "%s, port %s", waiting->watch.word, missing(waiting));
    waiting->told_of_supervisor = true;
}

/* Waits until one look finds all ports listening: an earlier listener may be gone by then. */
static void wait_for_all(struct waiting *waiting)
{
    for (;;) {
        struct map *map = waiting->watch.map;
        uint32_t seen = map_generation(map);
        waiting->done = 0;
        if (waiting->all)
            waiting->words[0] = asked_list_all(map);
        while (waiting->words[waiting->done] != NULL && is_listening(waiting, waiting->words[waiting->done]))
            waiting->done++;
        if (waiting->words[waiting->done] == NULL) {
            if (watch_stay(&waiting->watch) == 0) {
                end_telling(waiting);
                return;
            }
            waiting->done = 0; /* these may have been the ports of another run */
            end_with_run(waiting);
        }
        tell(waiting);
        if (!watch_is_alive(&waiting->watch))
            end_with_run(waiting);
        tell_of_supervisor(waiting);
        map_wait(map, seen, nap(waiting, NAP_MILLISECONDS));
    }
}

int command_wait(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option words[] = {{"timeout", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static struct waiting waiting;
    static struct portset ports;
    struct home home;
    for (int option; (option = command_option(argc, argv, "t:h", words, help, see_help)) != -1;) {
        if (option == 't')
            waiting.deadline = process_clock() + command_seconds(optarg);
        else
            waiting.json = true;
    }
    waiting.terminal = isatty(STDERR_FILENO);
    waiting.tell_at = process_clock() + TELL_AFTER;
    waiting.look_at = process_clock() + LAST_AFTER;
    waiting.since = process_date();
    waiting.quiet = voice_is_quiet(secure_getenv("PORTSHIM_QUIET"));
    command_open_home(&home);
    waiting.watch.home = &home;
    waiting.words = argv + optind;
    waiting.watch.word = meant_take(&home, &waiting.words, true);
    asked_check(waiting.words, see_help);
    waiting.all = asked_all(waiting.words);
    waiting.here = waiting.watch.word == NULL;
    if (!waiting.here && *waiting.watch.word == '\0') /* of a variable that is not set: no run will be that */
        command_fail("its name is empty", "name one, or leave it out", "run");
    sweep_home(&home);
    waiting.diag = sockdiag_open();
    if (waiting.diag < 0)
        command_fail(portmap_strerror(waiting.diag), "enable the kernel's inet_diag",
                     "the kernel's list of sockets");
    find(&waiting);
    for (char **word = waiting.words; !waiting.all && *word != NULL; word++)
        check_placeholders(&waiting, *word);
    wait_for_all(&waiting);
    watch_look_after(&waiting.watch);
    if (!waiting.json)
        return asked_print(waiting.watch.map, waiting.watch.word, waiting.words);
    asked_read(&ports, waiting.watch.map, waiting.watch.word, waiting.words);
    asked_print_json(waiting.watch.map, waiting.watch.path, &ports, false);
    return command_printed(EXIT_SUCCESS);
}
