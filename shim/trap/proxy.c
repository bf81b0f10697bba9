#include "trap/proxy.h"

#include "base/environment.h"
#include "base/kernel.h"
#include "base/text.h"
#include "trap/aside.h"
#include "trap/family.h"
#include "trap/mask.h"
#include "trap/stand_in.h"
#include "trap/word.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What fork(2) does not give to a child, and exec leaves as it is. */
struct kept {
    struct itimerval real, virtual, profile;
    int death_signal, is_subreaper;
    pid_t pid;
};

static void take(struct kept *kept)
{
    const struct itimerval none = {0};
    setitimer(ITIMER_REAL, &none, &kept->real);
    setitimer(ITIMER_VIRTUAL, &none, &kept->virtual);
    setitimer(ITIMER_PROF, &none, &kept->profile);
    prctl(PR_GET_PDEATHSIG, &kept->death_signal, 0, 0, 0);
    prctl(PR_GET_CHILD_SUBREAPER, &kept->is_subreaper, 0, 0, 0);
    kept->pid = getpid();
}

static void give_timers(const struct kept *kept)
{
    setitimer(ITIMER_REAL, &kept->real, NULL);
    setitimer(ITIMER_VIRTUAL, &kept->virtual, NULL);
    setitimer(ITIMER_PROF, &kept->profile, NULL);
}

/* A manager such as systemd names the process that its variables are for (sd_listen_fds(3)). */
static void tell_pid(const char *name, pid_t before, char *variable, size_t size)
{
    const char *value = environment_get(environ, name);
    struct text t = text_in(variable, size);
    text_uint(&t, (uint64_t)before);
    if (value == NULL || strcmp(value, variable) != 0)
        return;
    t = text_in(variable, size);
    text_str(&t, name);
    text_char(&t, '=');
    text_uint(&t, (uint64_t)getpid());
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, name, strlen(name)) == 0 && (*at)[strlen(name)] == '=')
            *at = variable;
}

static void give(const struct kept *kept)
{
    static const char *const names[] = {"LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"};
    static char variables[sizeof names / sizeof *names][48];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        tell_pid(names[i], kept->pid, variables[i], sizeof variables[i]);
    prctl(PR_SET_CHILD_SUBREAPER, kept->is_subreaper, 0, 0, 0);
    /* From now on, P kills this process if S ends. */
    prctl(PR_SET_PDEATHSIG, kept->death_signal, 0, 0, 0);
    give_timers(kept);
}

/* C. S may have ended before it was to be told. */
static bool become_program(struct start *start, const struct kept *kept, pid_t supervisor, int line)
{
    struct problem problem;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != supervisor)
        _exit(0);
    kernel_close(line);
    kernel_close(start->talk[1]);
    if (part_of_program(start, &problem) != PART_DONE)
        _exit(0); /* S tells P why */
    kernel_close(start->talk[0]);
    give(kept);
    return true;
}

_Noreturn static void give_up(int line, const struct word *word)
{
    if (word->kind == WORD_REFUSED)
        word_send(line, word);
    _exit(0);
}

/* S, while C is there but does not execute the program yet. Returns the listener. */
static int get_ready(struct start *start, int line, struct supervision *supervision)
{
    static struct word word;
    int listener;
    const int kept[] = {start->talk[1], line};
    signal(SIGCHLD, SIG_DFL); /* waitid(2) fails where it is ignored */
    setsid();
    aside_let_go(kept, 2);
    aside_lift_limits();
    int error = family_prepare(start->program, line);
    if (error != 0) {
        part_refuse_process(&word.problem, start->wish, error);
        word.kind = WORD_REFUSED;
        give_up(line, &word);
    }
    if (part_of_supervisor(start, supervision, &listener, &word) != PART_DONE)
        give_up(line, &word);
    return listener;
}

_Noreturn static void supervise(struct start *start, int line)
{
    struct supervision supervision;
    struct word word = {.kind = WORD_STARTED, .number = start->program};
    int listener = get_ready(start, line, &supervision);
    int program = (int)kernel_call(SYS_pidfd_open, start->program, 0);
    if (program < 0 || !word_send_with(line, &word, program) || word_receive(line, &word) != WORD_RUNNING)
        _exit(0);
    kernel_close(program);
    word.kind = WORD_SERVED;
    word_send(start->talk[1], &word);
    kernel_close(start->talk[1]);
    family_begin(listener);
    aside_set_name("trap", start->program);
    part_serve(&supervision, listener);
    family_end();
    _exit(0);
}

/* S, which is to be an ancestor of all that C starts. C is forked before S has a session of its own. Returns
 * in C alone. */
static bool fork_program(struct start *start, const struct kept *kept, int line)
{
    static struct word word;
    pid_t own = getpid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    start->program = mask_fork();
    if (start->program == 0)
        return become_program(start, kept, own, line);
    if (start->program > 0)
        supervise(start, line);
    part_refuse_process(&word.problem, start->wish, -errno);
    word.kind = WORD_REFUSED;
    give_up(line, &word);
}

/* Waits for S, which has failed; its SIGCHLD is not the program's. */
static void forget_supervisor(pid_t supervisor, bool was_pending)
{
    const struct timespec now = {0};
    sigset_t child;
    siginfo_t info;
    waitpid(supervisor, NULL, 0);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (!was_pending && sigtimedwait(&child, &info, &now) == SIGCHLD && info.si_pid != supervisor)
        kill(getpid(), SIGCHLD); /* a child that this process had before */
}

bool proxy_start(struct start *start, struct problem *problem)
{
    static struct word word;
    struct kept kept;
    int line[2], error = word_pair(line);
    if (error != 0)
        return part_refuse_process(problem, start->wish, error);
    bool was_pending = (mask_pending() & mask_of(SIGCHLD)) != 0;
    take(&kept);
    pid_t supervisor = mask_fork();
    error = -errno;
    if (supervisor == 0) {
        kernel_close(line[0]);
        return fork_program(start, &kept, line[1]);
    }
    kernel_close(line[1]);
    kernel_close(start->talk[1]);
    kernel_close(start->talk[0]);
    struct stand_in own = {.supervisor = supervisor, .line = line[0], .descriptor = -1};
    if (supervisor > 0 && word_receive_with(line[0], &word, &own.descriptor) == WORD_STARTED) {
        own.program = word.number;
        stand_in(&own, start->wish);
    }
    kernel_close(line[0]);
    if (supervisor > 0)
        forget_supervisor(supervisor, was_pending);
    give_timers(&kept);
    if (supervisor < 0)
        return part_refuse_process(problem, start->wish, error);
    if (word.kind != WORD_REFUSED)
        return part_refuse_killed(problem, start->wish);
    *problem = word.problem;
    return false;
}
