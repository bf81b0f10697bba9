#include "trap/stand_in.h"

#include "base/kernel.h"
#include "trap/aside.h"
#include "trap/mask.h"
#include "trap/parts.h"
#include "trap/witness.h"
#include "trap/word.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Does to this process what the signal does by default. */
static void suffer(int number)
{
    signal(number, SIG_DFL);
    kill(getpid(), number);
    mask_set(MASK_ALL & ~mask_of(number));
    mask_set(MASK_ALL);
}

_Noreturn static void end_as(const struct trap_wish *wish, int status)
{
    const struct rlimit none = {0};
    witness_end();
    if (wish->ended != NULL)
        wish->ended(status);
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    setrlimit(RLIMIT_CORE, &none); /* the program has written one, if it was to */
    prctl(PR_SET_DUMPABLE, 0);
    suffer(WTERMSIG(status));
    _exit(128 + WTERMSIG(status));
}

static void send_signal(const struct stand_in *own, int number, siginfo_t *info)
{
    kernel_call(SYS_pidfd_send_signal, own->descriptor, number, info, 0);
}

/* S has ended, or is just ending, and this process becomes the parent of C. */
static int wait_for_program(const struct stand_in *own)
{
    int status = 0;
    waitpid(own->supervisor, NULL, 0);
    waitpid(own->program, &status, 0);
    return status;
}

/* The program's stderr may have been closed or be another file by now, so this process has not kept it. */
_Noreturn static void end_without_supervisor(const struct stand_in *own, const struct problem *problem)
{
    static char line[PATH_MAX + 256];
    long err = kernel_call(SYS_pidfd_getfd, own->descriptor, STDERR_FILENO, 0);
    if (err >= 0)
        dup2((int)err, STDERR_FILENO);
    send_signal(own, SIGKILL, NULL);
    wait_for_program(own);
    if (err >= 0)
        problem_write(line, sizeof line, "", problem->what, problem->why, problem->remedy);
    _exit(125);
}

static void say_running(const struct stand_in *own)
{
    const struct word word = {.kind = WORD_RUNNING};
    word_send(own->line, &word);
}

static bool was_continued(void)
{
    return (mask_pending() & mask_of(SIGCONT)) != 0;
}

/*
 * Stops as C has stopped. A shell tells its user by which signal. Where nobody is there to continue it, as
 * the process group is orphaned (setpgid(2)), a signal of the terminal does not stop this process. S, which
 * sees that C goes on, continues this process too, until it says that it runs.
 */
static void stop(const struct stand_in *own, int number)
{
    struct word word = {.kind = WORD_STOPPING};
    word_send(own->line, &word);
    suffer(number);
    if (!was_continued())
        kill(getpid(), SIGSTOP);
    say_running(own);
}

static void hear_supervisor(const struct stand_in *own, const struct trap_wish *wish,
                            const struct problem *problem)
{
    static struct word word;
    struct pollfd line = {.fd = own->line, .events = POLLIN};
    int stopped = 0;
    do { /* what came after a stop tells whether it still holds */
        switch (word_receive(own->line, &word)) {
        case WORD_STOPPED:
            stopped = word.number;
            break;
        case WORD_CONTINUED:
            stopped = 0;
            break;
        case WORD_ENDED:
            end_as(wish, word.number);
        case WORD_YOURS:
            end_as(wish, wait_for_program(own));
        default:
            end_without_supervisor(own, problem);
        }
    } while (poll(&line, 1, 0) > 0);
    if (stopped != 0)
        stop(own, stopped);
}

/* The kernel sends these to all of a process group, to which C belongs, too. But the SIGHUP and SIGCONT of a
 * terminal that was hung up go to the leader of the session alone. */
static bool is_of_terminal(int number)
{
    bool leads = getsid(0) == getpid();
    switch (number) {
    case SIGHUP:
    case SIGCONT:
        return !leads;
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGWINCH:
        return true;
    default:
        return false;
    }
}

static void hand_on(const struct stand_in *own, const struct signalfd_siginfo *came)
{
    int number = (int)came->ssi_signo;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (came->ssi_code == SI_KERNEL && is_of_terminal(number)) {
        witness_saw(came);
        return;
    }
    if (number == SIGCHLD && came->ssi_code > 0)
        return; /* of S, or of a child that this process had before: C is no parent of it */
    bool has_sender = came->ssi_code == SI_USER || came->ssi_code == SI_QUEUE || came->ssi_code == SI_TKILL;
    pid_t sender = (pid_t)came->ssi_pid;
    if (number == SIGCONT && has_sender && sender == own->supervisor)
        return; /* see stop() */
    if (has_sender && getpgid(own->program) == getpgrp() && witness_saw(came))
        return;
    info.si_signo = number;
    info.si_code = came->ssi_code;
    info.si_pid = sender;
    info.si_uid = came->ssi_uid;
    info.si_value.sival_ptr = (void *)(uintptr_t)came->ssi_ptr;
    /* The kernel lets nobody claim that a signal was sent by kill(2), or by the kernel. */
    send_signal(own, number, came->ssi_code < 0 && came->ssi_code != SI_TKILL ? &info : NULL);
}

static void hand_all_on(const struct stand_in *own, int signals)
{
    struct signalfd_siginfo came;
    while (read(signals, &came, sizeof came) == sizeof came)
        hand_on(own, &came);
}

/* What is pending already, the program finds pending. */
static int begin(const struct stand_in *own)
{
    const int kept[] = {own->descriptor, own->line};
    signal(SIGCHLD, SIG_DFL); /* waitpid(2) fails where it is ignored */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_PTRACER, own->supervisor, 0, 0, 0); /* to see it stop: trap/family.c */
    aside_let_go(kept, 2);
    int signals = mask_open(MASK_ALL);
    hand_all_on(own, signals);
    say_running(own);
    witness_begin();
    aside_set_name("proxy", own->program);
    return signals;
}

void stand_in(const struct stand_in *own, const struct trap_wish *wish)
{
    static struct problem problem;
    part_refuse_killed(&problem, wish);
    int signals = begin(own);
    for (;;) {
        struct pollfd events[] = {{.fd = signals, .events = POLLIN}, {.fd = own->line, .events = POLLIN}};
        poll(events, 2, -1);
        if (events[0].revents != 0)
            hand_all_on(own, signals);
        if (events[1].revents != 0)
            hear_supervisor(own, wish, &problem);
    }
}
