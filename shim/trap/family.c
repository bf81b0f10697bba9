#include "trap/family.h"

#include "trap/mask.h"
#include "trap/word.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_NAP = 1, LONGEST_NAP = 100 }; /* milliseconds */

static struct {
    pthread_mutex_t lock; /* for what follows, and for waiting for C; the thread has to wait for it first */
    pid_t program, proxy; /* C, P */
    int listener, line, children;
    bool has_ended; /* C, and P has been told */
    bool has_stopped;
    bool proxy_stops; /* because C has: P has said so */
    bool is_stopping; /* C, because P has stopped */
} family = {.lock = PTHREAD_MUTEX_INITIALIZER, .line = -1};

static void tell(enum word_kind kind, int number)
{
    const struct word word = {.kind = kind, .number = number};
    if (family.line >= 0)
        word_send(family.line, &word);
}

static bool has_hung_up(void)
{
    struct pollfd listener = {.fd = family.listener};
    return poll(&listener, 1, 0) == 1 && (listener.revents & POLLHUP) != 0;
}

/* P is this process's parent as long as it lives. */
static void continue_proxy(void)
{
    if (getppid() == family.proxy)
        kill(family.proxy, SIGCONT);
}

static void look_at_stops(void)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)family.program, &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 &&
           info.si_pid != 0) {
        info.si_pid = 0;
        family.has_stopped = info.si_code != CLD_CONTINUED;
        if (!family.has_stopped || !family.is_stopping)
            tell(family.has_stopped ? WORD_STOPPED : WORD_CONTINUED, info.si_status);
        if (!family.has_stopped)
            continue_proxy();
        family.is_stopping = false;
    }
}

/*
 * SIGSTOP stops P alone, and only its parent and its tracer learn that (ptrace(2)). So this thread traces P,
 * and stops C as well. Then P stays as it is until it gets SIGCONT (PTRACE_LISTEN): if it were let go, its
 * parent could be told once more that it has stopped.
 */
static void trace_proxy(void)
{
    ptrace(PTRACE_SEIZE, family.proxy, NULL, NULL); /* where that is refused, C goes on */
}

static void look_at_proxy(void)
{
    int status;
    while (waitpid(family.proxy, &status, WNOHANG) == family.proxy && WIFSTOPPED(status)) {
        bool has_stopped = status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
        bool gets_signal = status >> 16 == 0;
        if (has_stopped && !family.proxy_stops && !family.has_stopped && !family.has_ended) {
            family.is_stopping = true;
            kill(family.program, SIGSTOP);
        }
        ptrace(has_stopped ? PTRACE_LISTEN : PTRACE_CONT, family.proxy, NULL,
               gets_signal ? (void *)(intptr_t)WSTOPSIG(status) : NULL);
    }
}

/* C is left to family_end() where nothing else uses its filter. Before Linux 6.11 that is known only when
 * somebody has waited for C. */
static void look_at_end(void)
{
    siginfo_t info = {0};
    int status;
    if (waitid(P_PID, (id_t)family.program, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 ||
        has_hung_up() || waitpid(family.program, &status, WNOHANG) != family.program)
        return;
    family.has_ended = true;
    tell(WORD_ENDED, status);
}

static void look_at_program(void)
{
    pthread_mutex_lock(&family.lock);
    if (!family.has_ended)
        look_at_stops();
    if (!family.has_ended)
        look_at_end();
    pthread_mutex_unlock(&family.lock);
}

static void wait_for_others(void)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
           (info.si_pid != family.program || family.has_ended)) {
        if (info.si_pid == family.proxy)
            look_at_proxy(); /* stops of what is traced are told to whoever waits for an end */
        else
            waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}

static void hear_proxy(void)
{
    struct word word;
    switch (word_receive(family.line, &word)) {
    case WORD_STOPPING:
        family.proxy_stops = true;
        break;
    case WORD_RUNNING:
        family.proxy_stops = false;
        break;
    default: /* P has ended */
        pthread_mutex_lock(&family.lock);
        if (!family.has_ended)
            kill(family.program, SIGKILL);
        close(family.line);
        family.line = -1;
        family.proxy_stops = false;
        pthread_mutex_unlock(&family.lock);
    }
}

/* Milliseconds until P is to be continued again. C may go on just before P stops because C had stopped. */
static int nap(int last)
{
    if (!family.proxy_stops || family.has_stopped)
        return -1;
    if (last >= 0)
        continue_proxy();
    return last < 0 ? FIRST_NAP : last < LONGEST_NAP ? 2 * last : LONGEST_NAP;
}

_Noreturn static void *watch(void *nothing)
{
    struct signalfd_siginfo child;
    int timeout = -1;
    (void)nothing;
    mask_set(MASK_ALL); /* musl has let one of its own signals in */
    pthread_mutex_lock(&family.lock);
    pthread_mutex_unlock(&family.lock);
    trace_proxy();
    for (;;) {
        look_at_proxy();
        look_at_program();
        wait_for_others();
        struct pollfd events[] = {{.fd = family.children, .events = POLLIN},
                                  {.fd = family.line, .events = POLLIN}};
        timeout = nap(timeout);
        if (poll(events, 2, timeout) > 0)
            timeout = -1;
        if (events[0].revents != 0 && read(family.children, &child, sizeof child) < 0)
            continue; /* it has been read: all children are looked at each time */
        if (events[1].revents != 0)
            hear_proxy();
    }
}

int family_prepare(pid_t program, int line)
{
    pthread_t thread;
    family.program = program;
    family.proxy = getppid();
    family.line = line;
    family.children = mask_open(mask_of(SIGCHLD));
    if (family.children < 0)
        return family.children;
    pthread_mutex_lock(&family.lock);
    return -pthread_create(&thread, NULL, watch, NULL);
}

void family_begin(int listener)
{
    family.listener = listener;
    pthread_mutex_unlock(&family.lock);
}

void family_end(void)
{
    pthread_mutex_lock(&family.lock);
    if (!family.has_ended && has_hung_up())
        tell(WORD_YOURS, 0);
}
