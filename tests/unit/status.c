/* What /proc says of a thread: trap/status.h. */
#include "unit.h"

#include "trap/status.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

static void nothing(int signal)
{
    (void)signal;
}

static struct status status_of(pid_t thread)
{
    struct status status;
    check(status_read(thread, &status), "/proc does not show the thread");
    return status;
}

static void hold(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

TEST("a blocked signal interrupts nothing, whomever it is for")
{
    signal(SIGUSR1, nothing);
    hold(SIGUSR1);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    struct status status = status_of(getpid());
    equal(status.own_pending, 1 << (SIGUSR1 - 1));
    equal(status.group_pending, 1 << (SIGUSR1 - 1));
    equal(status.group, getpid());
    equal(status_interruption(getpid(), &status, false), INTERRUPTION_NONE);
}

/* A process that cannot take a signal, as it is waiting for its child in vfork(2), which no signal but a
 * deadly one ends. `calls` is made there before. */
static pid_t immovable(void (*calls)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        calls();
        if (vfork() == 0) {
            for (;;)
                syscall(SYS_pause);
        }
        _exit(0);
    }
    return pid;
}

static void handle(void)
{
    signal(SIGUSR1, nothing);
}

static enum interruption soon(pid_t pid)
{
    struct status status;
    for (unsigned tries = 0; tries < 500; tries++) {
        status = status_of(pid);
        if (status.own_pending != 0 || status.group_pending != 0)
            break;
        usleep(10000);
    }
    return status_interruption(pid, &status, false);
}

static bool has_child(pid_t pid)
{
    char path[64], line[16] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "r");
    bool has = file != NULL && fgets(line, sizeof line, file) != NULL && atoi(line) > 0;
    if (file != NULL)
        fclose(file);
    return has;
}

static void end(pid_t pid)
{
    char command[64];
    snprintf(command, sizeof command, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(command, "r");
    int child = 0;
    if (file != NULL && fscanf(file, "%d", &child) == 1)
        kill(child, SIGKILL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

TEST("a signal that a single thread cannot take yet, and a stop, are certain to interrupt it")
{
    const int signals[] = {SIGUSR1, SIGSTOP};
    for (unsigned i = 0; i < 2; i++) {
        pid_t pid = immovable(handle);
        while (!has_child(pid))
            usleep(1000);
        kill(pid, signals[i]);
        equal(soon(pid), INTERRUPTION_CERTAIN);
        end(pid);
    }
}

TEST("a status with a line missing is not understood")
{
    const char *const text =
        "Name:\tx\nState:\tT (stopped)\nTgid:\t5\nTracerPid:\t7\nThreads:\t2\n"
        "SigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\t8000000000000000\n"
        "CapEff:\t0000000000003000\n";
    struct status status;
    check(status_parse(text, &status), "all lines are there");
    check(status.is_stopped, "T");
    equal(status.group, 5);
    equal(status.tracer, 7);
    equal(status.threads, 2);
    equal(status.own_pending, 1);
    equal(status.group_pending, 2);
    check(status.blocked == UINT64_C(1) << 63, "the last signal");
    equal(status.capabilities, 0x3000);
    for (const char *line = text; (line = strchr(line, '\n')) != NULL && line[1] != '\0'; line++) {
        char cut[512];
        snprintf(cut, sizeof cut, "%s", text);
        cut[line - text + 1] = '#';
        check(!status_parse(cut, &status), "without the line %.10s", line + 1);
    }
}

/* Whether a child is the administrator of this process's network after `change`, which succeeds. */
static bool is_admin_after(int (*change)(void))
{
    int said[2];
    char done = 0;
    equal(pipe(said), 0);
    pid_t pid = fork();
    if (pid == 0) {
        done = change() == 0;
        if (write(said[1], &done, 1) == 1)
            pause();
        _exit(1);
    }
    bool told = read(said[0], &done, 1) == 1 && done;
    bool is_admin = status_is_network_admin(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    check(told, "the change failed");
    return is_admin;
}

static int stay(void)
{
    return 0;
}

static int become_nobody(void)
{
    return setuid(65534);
}

static int enter_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

TEST("root is the network's administrator; nobody is not, nor root of another user namespace")
{
    if (geteuid() != 0) {
        check(!is_admin_after(stay), "an ordinary user");
        return;
    }
    check(is_admin_after(stay), "root");
    check(!is_admin_after(become_nobody), "nobody");
    check(!is_admin_after(enter_user_namespace), "root of a namespace");
}
