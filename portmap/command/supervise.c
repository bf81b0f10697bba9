#include "command/supervise.h"

#include "command/command.h"

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

/* What this process has changed of itself, and the command is to find as it was. */
struct before {
    sigset_t mask;
    struct sigaction child;
    struct itimerval alarm; /* an exec would have kept it, a fork does not */
};

static void put_back(const struct before *before)
{
    setitimer(ITIMER_REAL, &before->alarm, NULL);
    sigaction(SIGCHLD, &before->child, NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static pid_t start(char **command, const struct before *before, struct supervised *result)
{
    int failed[2], error = 0;
    if (pipe2(failed, O_CLOEXEC) < 0) {
        result->start_error = -errno;
        return -1;
    }
    pid_t pid = fork();
    if (pid < 0)
        result->start_error = -errno;
    if (pid == 0) {
        put_back(before);
        error = command_execute(command);
        if (write(failed[1], &error, sizeof error) < 0)
            _exit(EXIT_FAILURE); /* its parent is gone */
        _exit(EXIT_FAILURE);
    }
    close(failed[1]);
    if (pid > 0 && read(failed[0], &error, sizeof error) == sizeof error) {
        result->start_error = error;
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    close(failed[0]);
    return pid;
}

/* True when the command has ended. A shell that sees this process stopped knows the command is. */
static bool look_at(pid_t pid, int *status)
{
    while (waitpid(pid, status, WNOHANG | WUNTRACED) == pid) {
        if (!WIFSTOPPED(*status))
            return true;
        if (WSTOPSIG(*status) == SIGSTOP)
            continue; /* somebody's who means this process alone */
        raise(SIGSTOP);
        kill(pid, SIGCONT);
    }
    return false;
}

/*
 * Those of the terminal reach the command as well, but for the one of a terminal that hangs up, which goes to
 * the leader of the session alone. What the kernel sends for a fault of this process's own is no message to
 * the command, and what that sends to its parent is not meant for itself.
 */
static bool is_to_be_handed_on(const siginfo_t *info, pid_t pid)
{
    if (info->si_signo == SIGHUP && info->si_code == SI_KERNEL)
        return getsid(0) == getpid();
    return info->si_signo != SIGCHLD && info->si_code <= 0 && info->si_pid != pid;
}

/* What came too late to be handed on would end this process otherwise, and with it what it is to say. */
static void drop_pending(const sigset_t *all)
{
    const struct timespec now = {0};
    while (sigtimedwait(all, NULL, &now) > 0)
        ;
}

struct supervised supervise(char **command)
{
    struct supervised result = {0};
    sigset_t all;
    siginfo_t info;
    struct before before;
    const struct sigaction child = {.sa_handler = SIG_DFL};
    const struct itimerval none = {0};
    sigfillset(&all);
    setitimer(ITIMER_REAL, &none, &before.alarm);
    sigprocmask(SIG_SETMASK, &all, &before.mask);
    sigaction(SIGCHLD, &child, &before.child); /* where it is ignored, nothing can be waited for */
    pid_t pid = start(command, &before, &result);
    if (pid < 0) {
        sigprocmask(SIG_SETMASK, &before.mask, NULL);
        return result;
    }
    while (!look_at(pid, &result.status)) {
        if (sigwaitinfo(&all, &info) > 0 && is_to_be_handed_on(&info, pid))
            kill(pid, info.si_signo);
    }
    drop_pending(&all);
    sigprocmask(SIG_SETMASK, &before.mask, NULL);
    return result;
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
