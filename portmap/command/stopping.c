#include "command/stopping.h"

#include "base/kernel.h"
#include "command/command.h"
#include "command/signals.h"
#include "error.h"
#include "host/socket_owners.h"
#include "observe/survey.h"
#include "run/ended.h"
#include "run/life.h"
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

/* How long two looks that find nobody have to be apart: a process that is just executing a program has no
 * environment for a moment. */
#define PAUSE (20 * MILLISECOND)
/* Who stands by ends so soon after the last process for which it is there. */
#define STANDING_BY (1000 * MILLISECOND)
/* How long it may take until what was killed has gone, and how many looks: where the machine stood still, the
 * time may be over at the first one. */
#define DYING (5000 * MILLISECOND)
enum { DYING_LOOKS = 8 };

static bool is_added(const struct stopping *s, uint64_t run_id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->runs[i].run_id == run_id)
            return true;
    return false;
}

static int open_run(struct stopping *s, struct stopping_run *run)
{
    int error = rundir_path(s->home, run->run_id, run->path);
    if (error == 0)
        error = files_open(&run->map, AT_FDCWD, run->path);
    if (error != 0)
        return error;
    const char *secret = texts_get(&run->map, TEXT_SECRET, 0);
    if (secret == NULL)
        return PORTMAP_ETORN;
    if (!life_has_head(&run->map, run->run_id))
        return PORTMAP_EENDED;
    return members_add_run(&s->members, run->path, secret, run->map.head);
}

static bool has_ended(const struct stopping *s, uint64_t run_id)
{
    enum run_state state = life_of(s->home, run_id);
    return state == RUN_DEAD || state == RUN_GONE;
}

int stopping_add(struct stopping *s, const char *word, uint64_t run_id)
{
    if (is_added(s, run_id))
        return 0;
    if (has_ended(s, run_id)) {
        sweep_ended(s->home, run_id);
        return 0;
    }
    struct stopping_run *more = reallocarray(s->runs, s->count + 1, sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    s->runs = more;
    s->runs[s->count] = (struct stopping_run){.word = word, .run_id = run_id};
    int error = open_run(s, &s->runs[s->count]);
    if (error != 0)
        return has_ended(s, run_id) ? 0 : error;
    s->count++;
    return 0;
}

/* RUN of the run around this one that is to end; NULL when there is none. */
static const char *word_around(const struct stopping *s, const struct map *map)
{
    const char *around;
    for (unsigned n = 0; (around = texts_get(map, TEXT_AROUND, n)) != NULL; n++)
        for (unsigned i = 0; i < s->count; i++)
            if (strstr(around, texts_get(&s->runs[i].map, TEXT_SECRET, 0)) != NULL)
                return s->runs[i].word;
    return NULL;
}

static bool add_if_inside(uint64_t run_id, void *context)
{
    struct stopping *s = context;
    char name[RUNDIR_NAME_SIZE];
    struct map map = {.fd = -1};
    rundir_name(name, run_id);
    if (is_added(s, run_id))
        return true;
    const char *word = texts_open(&map, s->home->fd, name) == 0 ? word_around(s, &map) : NULL;
    texts_close(&map);
    if (word != NULL)
        stopping_add(s, word, run_id);
    return true;
}

/* Adds the runs that were started inside of those. Returns how many. */
static unsigned add_inner(struct stopping *s)
{
    unsigned before = s->count;
    if (s->count > 0)
        rundir_each(s->home, add_if_inside, s);
    return s->count - before;
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

static void kill_member(struct stopping *s, struct member *member, int pidfd)
{
    if (send_signal(s, member, pidfd, SIGKILL))
        s->last_kill = process_clock();
}

/* Stopped processes act on a signal when they are continued. */
static void let_go_on(const struct member *member, int pidfd)
{
    if (member->state == 'T')
        kernel_call(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
}

static void end_program(struct stopping *s, struct member *member, int pidfd)
{
    if (s->is_late) {
        kill_member(s, member, pidfd);
        return;
    }
    if (!member->was_told)
        member->was_told = send_signal(s, member, pidfd, s->signal);
    if (member->was_told)
        let_go_on(member, pidfd);
}

/* Those who stand by end by themselves. They hand signals on to the programs, which have got theirs. */
static void end_standing_by(struct stopping *s, struct member *member, int pidfd)
{
    bool is_left = s->empty != 0 && process_clock() - s->empty >= STANDING_BY && s->spared == 0;
    if (!s->is_late || !is_left) {
        let_go_on(member, pidfd);
        return;
    }
    if (member->is_supervisor)
        s->runs[member->run].killed_supervisor = member->pid;
    kill_member(s, member, pidfd);
}

struct counting {
    struct stopping *stopping;
    unsigned programs, standing_by, spared;
};

static bool visit(struct member *member, int pidfd, void *context)
{
    struct counting *counting = context;
    struct stopping *s = counting->stopping;
    s->runs[member->run].was_seen = true;
    if (member->spared) {
        counting->spared++;
        return false;
    }
    if (member->stands_by) {
        counting->standing_by++;
        end_standing_by(s, member, pidfd);
    } else {
        counting->programs++;
        end_program(s, member, pidfd);
    }
    if (s->watched_count == STOPPING_WATCHED || pidfd + STOPPING_SPARE >= sysconf(_SC_OPEN_MAX))
        return false;
    s->watched[s->watched_count++] = pidfd;
    return true;
}

static void look(struct stopping *s)
{
    struct counting counting = {.stopping = s};
    s->is_late = process_clock() >= s->deadline;
    s->late_looks += s->is_late;
    int error = members_look(&s->members, visit, &counting);
    if (error != 0)
        command_fail(portmap_strerror(error), "free some memory or descriptors", "the processes of the run");
    s->programs = counting.programs;
    s->standing_by = counting.standing_by;
    s->spared = counting.spared;
}

/* Sleeps until one of the watched has ended, and watches those no more that have. */
static void wait_for_one(struct stopping *s, uint64_t most)
{
    struct pollfd polled[STOPPING_WATCHED];
    unsigned left = 0;
    for (unsigned i = 0; i < s->watched_count; i++)
        polled[i] = (struct pollfd){.fd = s->watched[i], .events = POLLIN};
    poll(polled, s->watched_count, (int)(most / MILLISECOND) + 1);
    for (unsigned i = 0; i < s->watched_count; i++)
        if (polled[i].revents == 0)
            s->watched[left++] = polled[i].fd;
        else
            close(polled[i].fd);
    s->watched_count = left;
}

/* Sleeps until all members that are watched have ended, but no longer than `most`. */
static void nap(struct stopping *s, uint64_t most)
{
    uint64_t end = process_clock() + most, now;
    if (s->watched_count == 0)
        usleep((useconds_t)(most / 1000));
    while (s->watched_count > 0 && (now = process_clock()) < end)
        wait_for_one(s, end - now);
    while (s->watched_count > 0)
        close(s->watched[--s->watched_count]);
}

unsigned stopping_each_holder(struct stopping *s, unsigned number, stopping_holder *found)
{
    struct survey survey;
    unsigned count = 0;
    if (survey_run(&survey, s->home, s->runs[number].run_id) != 0)
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

/* Looks for programs that are no members yet. Returns how many more there are. */
static unsigned find_more(struct stopping *s)
{
    unsigned found = add_inner(s);
    for (unsigned i = 0; i < s->count; i++)
        if (!s->runs[i].is_over && !s->runs[i].is_ours)
            found += stopping_each_holder(s, i, add_holder);
    return found;
}

/* Whether a process that is spared keeps the run alive. The supervisor of a spared one does not end. */
static bool is_ours(const struct stopping *s, unsigned number)
{
    const struct members *members = &s->members;
    for (unsigned i = 1; i < members->ancestor_count; i++) { /* 0 is this process, which has mapped it, too */
        pid_t pid = members->ancestors[i];
        if (members_keeps(members, pid, number) || pid == s->runs[number].map.head->starter)
            return true;
    }
    return s->spared > 0 && s->standing_by > 0;
}

/* Ends a run that has no process: what is left of it is cleared up. */
static void finish(struct stopping *s, struct stopping_run *run)
{
    struct ended ended;
    life_end(&run->map);
    ended_describe(&ended, &run->map);
    ended.how = ENDED_EXACTLY;
    ended.date = process_date();
    ended_write(s->home, &ended); /* before somebody records that it was found dead */
    for (unsigned tries = 0; tries < 50 && life_of(s->home, run->run_id) != RUN_GONE; tries++) {
        if (tries > 0)
            usleep(20000); /* another command is clearing it up */
        sweep_ended(s->home, run->run_id);
    }
    run->is_over = true;
}

/* Whether a run has no process, now that none was found. Of one in another pid namespace, processes may be
 * there that cannot be seen, and just executing a program. */
static bool is_empty(const struct stopping *s, const struct stopping_run *run)
{
    enum run_state state = life_of(s->home, run->run_id);
    bool seen = run->was_seen || run->map.head->pid_namespace == process_pid_namespace();
    return state != RUN_ALIVE && (state != RUN_DYING || seen);
}

/* To be called when no program is left: whether all is done. */
static bool settle(struct stopping *s)
{
    bool all = true;
    for (unsigned i = 0; i < s->count; i++) {
        struct stopping_run *run = &s->runs[i];
        if (!run->is_over && is_empty(s, run))
            finish(s, run);
        run->is_ours = !run->is_over && is_ours(s, i);
        all = all && (run->is_over || run->is_ours);
    }
    return all;
}

/* Whether it makes no sense to go on: the time is over, and what was killed has had time to end, or nobody
 * has been there for as long. */
static bool is_hopeless(const struct stopping *s)
{
    uint64_t now = process_clock(), since = s->empty > s->deadline ? s->empty : s->deadline;
    uint64_t last = s->last_kill > since ? s->last_kill : since;
    return s->late_looks >= DYING_LOOKS && (now >= since + DYING || now >= last + 2 * STANDING_BY);
}

/* Whether all is done that can be done: no program was found for a time, and nobody stands by. Who stands by
 * for a process that is spared does not end. */
static bool is_done(struct stopping *s)
{
    uint64_t now = process_clock();
    if (s->empty == 0 || now - s->empty < PAUSE || find_more(s) > 0)
        return false;
    bool may_stay = s->spared > 0 && now - s->empty >= STANDING_BY;
    return (s->standing_by == 0 || may_stay) && settle(s);
}

/* How long to sleep after a look that took so long, so that looking takes a quarter of the time at most. */
static uint64_t rest_after(const struct stopping *s, uint64_t looked)
{
    uint64_t now = process_clock(), rest = 3 * looked;
    if (rest < PAUSE || s->programs + s->standing_by == 0)
        rest = PAUSE;
    if (!s->is_late && now + rest > s->deadline)
        rest = s->deadline > now ? s->deadline - now : MILLISECOND;
    return rest;
}

bool stopping_all(struct stopping *s)
{
    add_inner(s);
    for (;;) {
        uint64_t began = process_clock();
        look(s);
        uint64_t looked = process_clock();
        if (s->programs > 0)
            s->empty = 0;
        else if (s->empty == 0)
            s->empty = looked;
        if (is_done(s))
            return true;
        if (is_hopeless(s))
            return false;
        nap(s, rest_after(s, looked - began));
    }
}
