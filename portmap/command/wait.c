/* portshim wait: sleeps until something listens, then prints where. */
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "command/command.h"
#include "error.h"
#include "host/sockdiag.h"
#include "observe/watch.h"
#include "run/publish.h"
#include "run/supervisors.h"
#include "run/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long to sleep at most between two looks: a process that could not open the map wakes nobody. */
enum { NAP_MILLISECONDS = 50, FIND_MILLISECONDS = 5 };

static const char help[] =
    "usage: portshim wait [-t SECONDS] [--json] RUN PORT...\n"
    "\n"
    "Waits until every PORT (a placeholder; 53/udp for one protocol) of the run is listening, then prints "
    "the\n"
    "real ports, one a line, in the order given. RUN is a name, a run directory or a map file, and may not\n"
    "exist yet. PORT \"all\" stands for every placeholder that has a real port; there has to be one. On a\n"
    "terminal, stderr tells what is waited for.\n"
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
    bool all, json, terminal;
    uint64_t tell_at; /* process_clock() when the terminal is to be written to next */
    bool told;        /* the line of tell() is on the terminal */
    bool told_of_supervisor;
};

#define TELL_AFTER UINT64_C(300000000) /* nanoseconds */

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

/* Writes what is missing on one line of the terminal, over the line before. The line must not wrap. */
static void tell(struct waiting *waiting)
{
    char line[512];
    uint64_t now = process_clock();
    if (!waiting->terminal || now < waiting->tell_at)
        return;
    unsigned width = terminal_width();
    snprintf(line, sizeof line, "waiting for %s: %s", waiting->watch.word,
             waiting->watch.map == NULL ? "no such run yet" : missing(waiting));
    utf8_fit(line, width > 1 ? width - 1 : width);
    fprintf(stderr, "\r\033[K%s", line);
    waiting->tell_at = now + TELL_AFTER;
    waiting->told = true;
}

/* Clears the line of tell(). To be called before anything else is written. */
static void end_telling(struct waiting *waiting)
{
    if (waiting->told)
        fputs("\r\033[K", stderr);
    waiting->told = false;
}

static void give_up(struct waiting *waiting)
{
    end_telling(waiting);
    const char *what = waiting->watch.map == NULL ? "no such run yet" : "nothing listens yet";
    command_end(COMMAND_TIMED_OUT, what, "wait longer with -t, or see what its program says", "%s, port %s",
                waiting->watch.word, missing(waiting));
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

static void find(struct waiting *waiting)
{
    int error;
    while ((error = watch_find(&waiting->watch)) == PORTMAP_ENORUN || error == PORTMAP_EENDED) {
        tell(waiting);
        usleep(nap(waiting, FIND_MILLISECONDS) * 1000);
    }
    end_telling(waiting);
    if (error != 0)
        command_fail(portmap_strerror(error), "name a run, its directory or its map file", "%s",
                     waiting->watch.word);
    if (process_is_other_network(waiting->watch.map->head->net_namespace))
        command_fail("the run is in another network namespace", "run this command inside of it", "%s",
                     waiting->watch.word);
}

/* The list of ports that "all" means. Made anew for each look, as late assignments add placeholders. */
static char *list_all(const struct map *map)
{
    static char list[PORT_COUNT * 10];
    struct text t = text_in(list, sizeof list);
    static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
    struct portbits assigned;
    publish_assigned(map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        text_str(&t, t.used > 0 ? "," : "");
        text_uint(&t, port);
        text_str(&t, suffixes[map_protocols(map, port)]);
    }
    return list;
}

static void check_placeholders(const struct waiting *waiting, const char *word)
{
    static struct portset ports;
    memset(&ports, 0, sizeof ports);
    command_add_ports(&ports, word);
    for (unsigned port = 0; (port = portset_next_listed(&ports, port)) != 0;)
        if ((map_protocols(waiting->watch.map, port) & portset_listed(&ports, port)) == 0)
            command_fail("not a placeholder of this run", "list it with -p when the run is started",
                         "%s, port %u", waiting->watch.word, port);
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
    end_telling(waiting);
    command_fail("the run has ended before it listened", "see what its program said", "%s, port %s",
                 waiting->watch.word, missing(waiting));
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
            waiting->words[0] = list_all(map);
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

static void print_json(const struct waiting *waiting)
{
    static struct portset ports;
    const struct map *map = waiting->watch.map;
    const char *comma = "";
    for (char **word = waiting->words; *word != NULL; word++)
        command_add_ports(&ports, *word);
    printf("{\"run\":");
    json_string(stdout, waiting->watch.path);
    printf(",\"ports\":[");
    for (unsigned port = 0; (port = portset_next_listed(&ports, port)) != 0; comma = ",")
        printf("%s{\"placeholder\":%u,\"real\":%u}", comma, port, map_real(map, port));
    printf("]}\n");
}

int command_wait(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option words[] = {{"timeout", required_argument, NULL, 't'},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static struct waiting waiting;
    struct home home;
    for (int option; (option = command_option(argc, argv, "t:h", words, help, see_help)) != -1;) {
        if (option == 't')
            waiting.deadline = process_clock() + command_seconds(optarg);
        else
            waiting.json = true;
    }
    waiting.all = argc - optind == 2 && strcmp(argv[optind + 1], "all") == 0;
    if (!waiting.all)
        command_check_run_and_ports(argc - optind, argv + optind, see_help);
    waiting.terminal = isatty(STDERR_FILENO);
    waiting.tell_at = process_clock() + TELL_AFTER;
    command_open_home(&home);
    waiting.watch.home = &home;
    waiting.watch.word = argv[optind];
    waiting.words = argv + optind + 1;
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
        return command_print_ports(waiting.watch.map, waiting.watch.word, waiting.words);
    print_json(&waiting);
    return command_printed(EXIT_SUCCESS);
}
