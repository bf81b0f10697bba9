/* portshim stop: ends all processes of runs. */
#include "base/kernel.h"
#include "command/command.h"
#include "command/signals.h"
#include "error.h"
#include "host/socket_owners.h"
#include "observe/members.h"
#include "observe/survey.h"
#include "run/find.h"
#include "run/life.h"
#include "run/name.h"
#include "run/rundir.h"
#include "run/sweep.h"
#include "run/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000) /* nanoseconds */
#define DEFAULT_TIME (10000 * MILLISECOND)

/* How long two looks that find nobody have to be apart: a process that is just executing a program has no
 * environment for a moment. */
#define PAUSE (20 * MILLISECOND)
/* Who stands by ends so soon after the last process for which it is there. */
#define STANDING_BY (1000 * MILLISECOND)
/* How long it may take until what was killed has gone. */
#define DYING (5000 * MILLISECOND)

enum { WATCHED = 32, MOST_LINES = 5 };

static const char help[] =
    "usage: portshim stop [-t SECONDS] [-s SIGNAL] [-v] RUN...\n"
    "\n"
    "Ends all processes of runs: those that were started in them, and those of runs inside of them, also\n"
    "daemons and processes of other users, as far as this user may. Returns when they are gone and their\n"
    "ports are free. Each gets SIGTERM, and SIGKILL when the time is over. RUN is a name, a run directory "
    "or\n"
    "a map file. This process and its ancestors are spared.\n"
    "\n"
    "  -t, --timeout SECONDS  send SIGKILL after so long (fractions allowed); default: 10\n"
    "  -s, --signal SIGNAL    send this signal instead of SIGTERM, as HUP, SIGHUP or 1\n"
    "  -v, --verbose          say each process that gets a signal\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0, also when a run had ended before; 125 when there was never such a run, when something\n"
    "could not be ended, or portshim failed.\n";

static const char see_help[] = "see portshim stop --help";

/* A run to end. */
struct target {
    const char *word; /* as the user wrote it; for a run inside of another one, the word of that */
    uint64_t run_id;
    char path[PATH_MAX], secret[SECRET_SIZE];
    struct map map;
    bool is_over;
    bool is_ours; /* this process, or an ancestor, is in it */
};

struct stopping {
    const struct home *home;
    struct target *targets;
    unsigned count;
    struct members members;
    int signal;
    bool verbose;
    bool failed; /* something was said */
    uint64_t deadline;
    bool is_late; /* the deadline is over */
    uint64_t last_kill;
    unsigned programs, standing_by, spared; /* members, by the last look */
    int watched[WATCHED];                   /* pidfds of programs */
    unsigned watched_count;
};

/* Says what could not be done; the exit status is 125 then. */
#define complain(s, ...) ((s)->failed = true, command_complain(__VA_ARGS__))

static const char *word_of(const struct stopping *s, unsigned number)
{
    return s->targets[number].word;
}

static bool is_target(const struct stopping *s, uint64_t run_id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->targets[i].run_id == run_id)
            return true;
    return false;
}

static int open_target(const struct stopping *s, struct target *target)
{
    int error = rundir_path(s->home, target->run_id, target->path);
    if (error == 0)
        error = files_open(&target->map, AT_FDCWD, target->path);
    if (error != 0)
        return error;
    const char *secret = texts_get(&target->map, TEXT_SECRET, 0);
    if (secret == NULL || strlen(secret) >= sizeof target->secret)
        return PORTMAP_ETORN;
    memcpy(target->secret, secret, strlen(secret) + 1);
    return life_has_head(&target->map, target->run_id) ? 0 : PORTMAP_EENDED;
}

static bool has_ended(const struct stopping *s, uint64_t run_id)
{
    enum run_state state = life_of(s->home, run_id);
    return state == RUN_DEAD || state == RUN_GONE;
}

/* 0, also when the run has ended or is already among the targets. */
static int add_target(struct stopping *s, const char *word, uint64_t run_id)
{
    if (is_target(s, run_id))
        return 0;
    if (has_ended(s, run_id)) {
        sweep_ended(s->home, run_id);
        return 0;
    }
    struct target *more = reallocarray(s->targets, s->count + 1, sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    s->targets = more;
    struct target *target = &s->targets[s->count];
    *target = (struct target){.word = word, .run_id = run_id};
    int error = open_target(s, target);
    if (error == 0)
        error = members_add_run(&s->members, target->path, target->secret);
    if (error != 0)
        return has_ended(s, run_id) ? 0 : error;
    s->count++;
    return 0;
}

static void add_named(struct stopping *s, const char *word)
{
    char path[PATH_MAX];
    uint64_t run_id;
    bool is_name = name_is_valid(word) && name_find(s->home, word) != 0;
    if (!is_name && find_is_anothers_file(word)) {
        complain(s, "another user's map file", "name the run, its directory or a file of this user's own",
                 "run %s", word);
        return;
    }
    int error = find_run(s->home, word, path, &run_id);
    if (error == 0)
        error = add_target(s, word, run_id);
    if (error != 0)
        complain(s, portmap_strerror(error), "name a run, its directory or its map file", "run %s", word);
}

struct nesting {
    struct stopping *s;
    unsigned added;
};

/* The run around this one that is to be ended; NULL when there is none. */
static const struct target *target_around(const struct stopping *s, const struct map *map)
{
    const char *around;
    for (unsigned n = 0; (around = texts_get(map, TEXT_AROUND, n)) != NULL; n++)
        for (unsigned i = 0; i < s->count; i++)
            if (strstr(around, s->targets[i].secret) != NULL)
                return &s->targets[i];
    return NULL;
}

static bool look_if_inside(uint64_t run_id, void *context)
{
    struct nesting *nesting = context;
    struct stopping *s = nesting->s;
    char name[RUNDIR_NAME_SIZE];
    struct map map = {.fd = -1};
    unsigned before = s->count;
    rundir_name(name, run_id);
    if (is_target(s, run_id))
        return true;
    if (texts_open(&map, s->home->fd, name) == 0) {
        const struct target *around = target_around(s, &map);
        if (around != NULL)
            add_target(s, around->word, run_id);
    }
    texts_close(&map);
    nesting->added += s->count - before;
    return true;
}

/* Adds the runs that were started inside of the targets: they end with them. Returns how many. */
static unsigned add_inner(struct stopping *s)
{
    struct nesting nesting = {.s = s};
    if (s->count > 0)
        rundir_each(s->home, look_if_inside, &nesting);
    return nesting.added;
}

static bool send_signal(const struct stopping *s, struct member *member, int pidfd, int number)
{
    char process[32] = "", name[32];
    if (s->verbose)
        process_name(member->pid, process, sizeof process); /* a killed one has none */
    long error = kernel_call(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
    if (error == -ESRCH)
        return false; /* it has just ended */
    member->error = (int)error;
    signals_name(number, name, sizeof name);
    if (error == 0 && s->verbose)
        fprintf(stderr, "portshim: %s to %d (%s)\n", name, (int)member->pid, process);
    return error == 0;
}

/* Stopped processes act on a signal when they are continued. */
static void let_go_on(const struct member *member, int pidfd)
{
    if (member->state == 'T')
        kernel_call(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
}

static void stop_program(struct stopping *s, struct member *member, int pidfd)
{
    if (s->is_late) {
        if (send_signal(s, member, pidfd, SIGKILL))
            s->last_kill = process_clock();
        return;
    }
    if (!member->was_told)
        member->was_told = send_signal(s, member, pidfd, s->signal);
    if (member->was_told)
        let_go_on(member, pidfd);
}

/* Those who stand by end by themselves. They hand signals on to the programs, which have got theirs. */
static void stop_standing_by(struct stopping *s, struct member *member, int pidfd)
{
    bool is_left = s->programs == 0 && s->spared == 0;
    if (!s->is_late || !is_left) {
        let_go_on(member, pidfd);
        return;
    }
    if (member->is_supervisor && !member->was_told)
        complain(s, "it still served programs, which cannot be found and fail now", "look for them with ps",
                 "run %s, supervisor %d", word_of(s, member->run), (int)member->pid);
    member->was_told = send_signal(s, member, pidfd, SIGKILL);
    s->last_kill = process_clock();
}

struct counting {
    struct stopping *s;
    unsigned programs, standing_by, spared;
};

static bool visit(struct member *member, int pidfd, void *context)
{
    struct counting *counting = context;
    struct stopping *s = counting->s;
    if (member->spared) {
        counting->spared++;
        return false;
    }
    if (member->stands_by) {
        counting->standing_by++;
        stop_standing_by(s, member, pidfd);
        return false;
    }
    counting->programs++;
    stop_program(s, member, pidfd);
    if (s->watched_count == WATCHED)
        return false;
    s->watched[s->watched_count++] = pidfd;
    return true;
}

static void look(struct stopping *s)
{
    struct counting counting = {.s = s};
    s->is_late = process_clock() >= s->deadline;
    int error = members_look(&s->members, visit, &counting);
    if (error != 0)
        command_fail(portmap_strerror(error), "free some memory or descriptors", "the processes of the run");
    s->programs = counting.programs;
    s->standing_by = counting.standing_by;
    s->spared = counting.spared;
}

/* Sleeps until all programs that were found have ended, but no longer than `most`. */
static void nap(struct stopping *s, uint64_t most)
{
    uint64_t now = process_clock(), end = now + most;
    unsigned left = s->watched_count;
    if (left == 0)
        usleep((useconds_t)(most / 1000));
    while (left > 0 && now < end) {
        struct pollfd polled[WATCHED];
        for (unsigned i = 0; i < left; i++)
            polled[i] = (struct pollfd){.fd = s->watched[i], .events = POLLIN};
        poll(polled, left, (int)((end - now) / MILLISECOND) + 1);
        unsigned living = 0;
        for (unsigned i = 0; i < left; i++)
            if (polled[i].revents == 0)
                s->watched[living++] = polled[i].fd;
            else
                close(polled[i].fd);
        left = living;
        now = process_clock();
    }
    for (unsigned i = 0; i < left; i++)
        close(s->watched[i]);
    s->watched_count = 0;
}

/* Calls found() for each process that has a socket on a port that the target has leased, and is not known to
 * be of the run. Returns how often found() returned true. */
static unsigned each_holder(struct stopping *s, unsigned number,
                            bool (*found)(struct stopping *s, unsigned number, pid_t pid, unsigned real))
{
    struct survey survey;
    unsigned count = 0;
    if (survey_run(&survey, s->home, s->targets[number].run_id) != 0)
        return 0;
    int error = survey_sockets(&survey, 1);
    for (unsigned p = 0; error == 0 && p < survey.port_count; p++) {
        const struct survey_port *port = &survey.ports[p];
        for (unsigned i = 0; strcmp(port->lease, "own") == 0 && i < port->owner_count; i++)
            if (!members_is_spared(&s->members, port->owners[i].pid))
                count += found(s, number, port->owners[i].pid, port->real);
    }
    survey_end(&survey);
    return count;
}

static bool add_holder(struct stopping *s, unsigned number, pid_t pid, unsigned real)
{
    (void)real;
    return members_add_holder(&s->members, pid, number);
}

/* Whether a process that is spared keeps the run alive. The supervisor of a spared one does not end. */
static bool is_ours(const struct stopping *s, unsigned number)
{
    const struct members *members = &s->members;
    for (unsigned i = 1; i < members->ancestor_count; i++) { /* 0 is this process, which has mapped it, too */
        pid_t pid = members->ancestors[i];
        if (members_keeps(members, pid, number) || pid == s->targets[number].map.head->starter)
            return true;
    }
    return s->spared > 0 && s->standing_by > 0;
}

/* Ends a run that has no process: what is left of it is cleared up. */
static void finish(struct stopping *s, struct target *target)
{
    life_end(&target->map);
    for (unsigned tries = 0; tries < 50 && life_of(s->home, target->run_id) != RUN_GONE; tries++) {
        if (tries > 0)
            usleep(20000); /* another command is clearing it up */
        sweep_ended(s->home, target->run_id);
    }
    target->is_over = true;
}

/* Looks for programs of the targets that are no members yet. Returns how many more there are. */
static unsigned find_more(struct stopping *s)
{
    unsigned found = add_inner(s);
    for (unsigned i = 0; i < s->count; i++)
        if (!s->targets[i].is_over && !s->targets[i].is_ours)
            found += each_holder(s, i, add_holder);
    return found;
}

/* To be called when no program is left: whether all is done. */
static bool settle(struct stopping *s)
{
    bool all = true;
    for (unsigned i = 0; i < s->count; i++) {
        struct target *target = &s->targets[i];
        if (!target->is_over && life_of(s->home, target->run_id) != RUN_ALIVE)
            finish(s, target);
        target->is_ours = !target->is_over && is_ours(s, i);
        all = all && (target->is_over || target->is_ours);
    }
    return all;
}

/* Whether it makes no sense to go on: the time is over, and what was killed has had time to end. */
static bool is_hopeless(const struct stopping *s)
{
    uint64_t now = process_clock(), last = s->last_kill > s->deadline ? s->last_kill : s->deadline;
    return s->is_late && (now >= s->deadline + DYING || now >= last + STANDING_BY);
}

/* Whether all is done that can be done: no program was found for a time, and nobody stands by. `empty` is
 * when the first look found none. Who stands by for a process that is spared does not end. */
static bool is_done(struct stopping *s, uint64_t empty)
{
    uint64_t now = process_clock();
    if (now - empty < PAUSE || find_more(s) > 0)
        return false;
    bool may_stay = s->spared > 0 && now - empty >= STANDING_BY;
    return (s->standing_by == 0 || may_stay) && settle(s);
}

/* Ends all targets; false when something is left. */
static bool end_all(struct stopping *s)
{
    uint64_t empty = 0;
    for (;;) {
        uint64_t began = process_clock();
        look(s);
        if (s->programs > 0)
            empty = 0;
        else if (empty == 0)
            empty = process_clock();
        if (empty != 0 && is_done(s, empty))
            return true;
        if (is_hopeless(s))
            return false;
        uint64_t now = process_clock(), rest = 3 * (now - began);
        rest = rest > PAUSE ? rest : PAUSE;
        if (!s->is_late && now + rest > s->deadline)
            rest = s->deadline > now ? s->deadline - now : MILLISECOND;
        nap(s, rest);
    }
}

static void complain_of_member(struct stopping *s, const struct member *member)
{
    char name[32];
    const char *why = "it has not ended", *remedy = "see what keeps it";
    process_name(member->pid, name, sizeof name);
    if (member->error != 0) {
        why = portmap_strerror(member->error);
        remedy = "end it as its user, or run this as root";
    } else if (member->state == 'D') {
        why = "the kernel has not let it end";
        remedy = "it ends when what it waits for comes";
    }
    complain(s, why, remedy, "run %s, pid %d (%s)", word_of(s, member->run), (int)member->pid, name);
}

static bool complain_of_holder(struct stopping *s, unsigned number, pid_t pid, unsigned real)
{
    char name[32];
    process_name(pid, name, sizeof name);
    complain(s, "it is not known to be of the run, and has a port of it", "end it, if it is",
             "run %s, port %u, pid %d (%s)", word_of(s, number), real, (int)pid, name);
    return true;
}

/* Says why a target has not ended, of which no member is known. */
static void complain_of_unseen(struct stopping *s, unsigned number)
{
    if (each_holder(s, number, complain_of_holder) == 0)
        complain(s, "a process that cannot be seen from here is in it", "run this as root, or where it runs",
                 "run %s", word_of(s, number));
}

static void complain_of_all(struct stopping *s)
{
    unsigned lines = 0, more = 0;
    for (unsigned i = 0; i < s->members.count; i++) {
        const struct member *member = &s->members.list[i];
        if (member->spared || s->targets[member->run].is_over)
            continue;
        if (lines++ < MOST_LINES)
            complain_of_member(s, member);
        else
            more++;
    }
    if (more > 0)
        complain(s, "they have not ended", "see portshim ls", "%u processes more", more);
    for (unsigned i = 0; lines == 0 && i < s->count; i++)
        if (!s->targets[i].is_over && !s->targets[i].is_ours)
            complain_of_unseen(s, i);
}

/* Names the nearest ancestor that is in the run. */
static void tell_of_ours(const struct stopping *s, unsigned number)
{
    const struct members *members = &s->members;
    pid_t pid = getppid();
    char name[32];
    for (unsigned i = 1; i < members->ancestor_count; i++)
        if (members_keeps(members, members->ancestors[i], number)) {
            pid = members->ancestors[i];
            break;
        }
    process_name(pid, name, sizeof name);
    command_warn("this command was started from inside of it", "it ends with that process",
                 "run %s goes on with pid %d (%s)", word_of(s, number), (int)pid, name);
}

static void check_kernel(void)
{
    int pidfd = (int)kernel_call(SYS_pidfd_open, getpid(), 0);
    long error = pidfd < 0 ? pidfd : kernel_call(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
    if (error == -ENOSYS || error == -EPERM)
        command_fail("the kernel, or a filter, has no pidfd_open(2) and pidfd_send_signal(2)",
                     "use Linux 5.3 or later", "portshim stop");
    if (error < 0)
        command_fail(portmap_strerror((int)error), "close some descriptors", "portshim stop");
    close(pidfd);
}

static int read_signal(const char *word)
{
    int number = signals_number(word);
    if (number == 0)
        command_fail("no such signal", "write one such as TERM, SIGTERM or 15", "signal \"%s\"", word);
    if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
        command_fail("it stops processes and does not end them", "write one such as TERM or INT",
                     "signal \"%s\"", word);
    return number;
}

int command_stop(int argc, char **argv)
{
    static const struct option words[] = {{"timeout", required_argument, NULL, 't'},
                                          {"signal", required_argument, NULL, 's'},
                                          {"verbose", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static struct stopping s;
    static struct home home;
    uint64_t patience = DEFAULT_TIME;
    s.signal = SIGTERM;
    for (int option; (option = command_option(argc, argv, "t:s:vh", words, help, see_help)) != -1;) {
        if (option == 't')
            patience = command_seconds(optarg);
        else if (option == 's')
            s.signal = read_signal(optarg);
        else
            s.verbose = true;
    }
    if (optind == argc)
        command_fail("none is given", see_help, "run");
    signal(SIGPIPE, SIG_IGN); /* whoever reads stderr may be of the run */
    check_kernel();
    if (members_begin(&s.members) != 0)
        command_fail("it does not show the processes of this pid namespace", "mount it here", "/proc");
    command_open_home(&home);
    s.home = &home;
    for (int i = optind; i < argc; i++)
        add_named(&s, argv[i]);
    add_inner(&s);
    s.deadline = process_clock() + patience;
    if (s.count > 0 && !end_all(&s))
        complain_of_all(&s);
    for (unsigned i = 0; i < s.count; i++)
        if (s.targets[i].is_ours)
            tell_of_ours(&s, i);
    return s.failed ? COMMAND_FAILED : EXIT_SUCCESS;
}
