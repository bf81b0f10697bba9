#include "command/supervise.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* State of this process that supervise() changes and the command is to start with. */
struct before {
    sigset_t mask;
    struct sigaction child;
    struct itimerval alarm; /* fork(2) clears it, so the child sets it again */
};

static void put_back(const struct before *before)
{
    setitimer(ITIMER_REAL, &before->alarm, NULL);
    sigaction(SIGCHLD, &before->child, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* Reads all that the child has to say; false when it says nothing, as it has executed the command. Texts that
 * the failure points to are at the same addresses here. */
static bool hear(int from, struct launch_failure *failure)
{
    char *at = (char *)failure, *end = at + sizeof *failure;
    ssize_t got = 1;
    while (at < end && (got = read(from, at, (size_t)(end - at))) > 0)
        at += got;
    return at == end;
}

/* Returns -1 when the command has not started. */
static pid_t start(const struct launch *command, const struct before *before, struct launch_failure *failure)
{
    int failed[2];
    if (pipe2(failed, O_CLOEXEC) < 0) {
        failure->error = -errno;
        return -1;
    }
    pid_t pid = fork();
    if (pid < 0)
        failure->error = -errno;
    if (pid == 0) {
        put_back(before);
        launch(command, failure);
        text_write_all(failed[1], (const char *)failure, sizeof *failure);
        _exit(EXIT_FAILURE);
    }
    close(failed[1]);
    if (pid > 0 && hear(failed[0], failure)) {
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(failed[0]);
    return pid;
}

/* Continues the command, unless whoever continued this process has continued both, as a shell does with its
 * job. The SIGCONT that this process got by that is dealt with. */
static void go_on(pid_t pid)
{
    const struct timespec now = {0};
    sigset_t only;
    siginfo_t info = {.si_pid = 0};
    sigemptyset(&only);
    sigaddset(&only, SIGCONT);
    if (waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOHANG) == 0 && info.si_pid == 0)
        kill(pid, SIGCONT);
    sigtimedwait(&only, NULL, &now);
}

/* True when the command has ended. When it has stopped, stops this process too, so that a shell sees it, and
 * later continues both. */
static bool look_at(pid_t pid, int *status)
{
    while (waitpid(pid, status, WNOHANG | WUNTRACED) == pid) {
        if (!WIFSTOPPED(*status))
            return true;
        if (WSTOPSIG(*status) == SIGSTOP)
            continue; /* SIGSTOP is not the terminal's: somebody stopped the command alone */
        raise(SIGSTOP);
        go_on(pid);
    }
    return false;
}

/*
 * Whether a signal to this process is to be sent to the command. Signals of processes are, but for SIGCHLD
 * and those that the command itself sent. Signals of the kernel are not: those of the terminal's keys reach
 * the command anyway. The exception is the SIGHUP of a closed terminal, which only the session's leader gets.
 */
static bool is_to_be_handed_on(const siginfo_t *info, pid_t pid)
{
    if (info->si_signo == SIGHUP && info->si_code == SI_KERNEL)
        return getsid(0) == getpid();
    return info->si_signo != SIGCHLD && info->si_code <= 0 && info->si_pid != pid;
}

/* Discards signals that arrived after the command ended: unblocking them would kill us before we report. */
static void drop_pending(const sigset_t *all)
{
    const struct timespec now = {0};
    while (sigtimedwait(all, NULL, &now) > 0)
        ;
}

int supervise(const struct launch *command, struct launch_failure *failure)
{
    int status = 0;
    sigset_t all;
    siginfo_t info;
    struct before before;
    const struct sigaction child = {.sa_handler = SIG_DFL};
    const struct itimerval none = {0};
    sigfillset(&all);
    setitimer(ITIMER_REAL, &none, &before.alarm);
    sigprocmask(SIG_SETMASK, &all, &before.mask);
    sigaction(SIGCHLD, &child, &before.child); /* waitpid(2) fails where SIGCHLD is ignored */
    *failure = (struct launch_failure){0};
    pid_t pid = start(command, &before, failure);
    if (pid < 0) {
        sigprocmask(SIG_SETMASK, &before.mask, NULL);
        return 0;
    }
    while (!look_at(pid, &status)) {
        if (sigwaitinfo(&all, &info) > 0 && is_to_be_handed_on(&info, pid))
            kill(pid, info.si_signo);
    }
    drop_pending(&all);
    sigprocmask(SIG_SETMASK, &before.mask, NULL);
    return status;
}

void supervise_end(int status)
{
    if (WIFEXITED(status))
        exit(WEXITSTATUS(status));
    int number = WTERMSIG(status);
    sigset_t only;
    prctl(PR_SET_DUMPABLE, 0);
    signal(number, SIG_DFL);
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    raise(number);
    exit(128 + number);
}
