/*
 * being: prints what a process is, one line for each property that a program can see of itself.
 * being --self: the same, and its pid.
 * being --as STATE... -- COMMAND...: puts this process into states that a program may inherit, and executes
 * the command: blocked, pending, ignored, timers, limits, descriptors, child, ended_child, subreaper,
 * parent_dies, reaps_none, placed, supervised. being --wait: the same as being, and then waits for all
 * signals that are not blocked, but those that stop it; prints each, and who sent what with it. SIGTERM ends
 * it with 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void show_status(void)
{
    static const char *const shown[] = {
        "Umask:",  "Uid:",    "Gid:",    "Groups:", "SigPnd:", "ShdPnd:", "SigBlk:",
        "SigIgn:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "Threads:"};
    char line[4096];
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++)
            if (strncmp(line, shown[i], strlen(shown[i])) == 0)
                fputs(line, stdout);
    if (status != NULL)
        fclose(status);
}

static void show_file(const char *path)
{
    char content[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, content, sizeof content - 1) : 0;
    close(fd);
    content[size > 0 ? size : 0] = '\0';
    content[strcspn(content, "\n")] = '\0';
    printf("%s: %s\n", path, content);
}

static void show_descriptors(void)
{
    char path[64], target[4096];
    for (int fd = 0; fd < 1024; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len < 0)
            continue;
        target[len] = '\0';
        if (strncmp(target, "pipe:", 5) == 0)
            target[5] = '\0';
        /* Where output goes differs between two calls. */
        printf("descriptor %d: %s, %x, %x\n", fd, fd == 1 || fd == 2 ? "" : target, fcntl(fd, F_GETFD),
               fcntl(fd, F_GETFL));
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_environment(void)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    qsort(environ, count, sizeof *environ, compare);
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, "PORTSHIM_", 9) != 0 && strncmp(*at, "LD_PRELOAD=", 11) != 0 &&
            strncmp(*at, "BEING_", 6) != 0 && strncmp(*at, "_=", 2) != 0)
            printf("variable %s\n", *at);
}

static long number_of(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL ? strtol(value, NULL, 10) : 0;
}

static void show_timer(const char *name, __itimer_which_t which)
{
    struct itimerval timer;
    getitimer(which, &timer);
    /* It goes on while the program starts. */
    printf("timer %s: %s, then %ld.%06ld\n", name, timerisset(&timer.it_value) ? "runs" : "none",
           (long)timer.it_interval.tv_sec, (long)timer.it_interval.tv_usec);
}

static void show_children(void)
{
    char path[64];
    int count = 0, number;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    while (list != NULL && fscanf(list, "%d", &number) == 1)
        count++;
    printf("children: %d\n", count);
    if (list != NULL)
        fclose(list);
}

static void show_family(void)
{
    siginfo_t info = {0};
    int result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
    printf("children: %s\n", result < 0 ? strerror(errno) : info.si_pid != 0 ? "one has ended" : "all live");
    show_children();
    int value = -1;
    prctl(PR_GET_PDEATHSIG, &value);
    printf("death signal: %d\n", value);
    prctl(PR_GET_CHILD_SUBREAPER, &value);
    printf("subreaper: %d\n", value);
}

static void show_limits(void)
{
    struct rlimit limit;
    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
            printf("limit %d: %llx %llx\n", i, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
}

static void show(void)
{
    char cwd[4096];
    cpu_set_t cpus;
    printf("pid: %s\n", getpid() == number_of("BEING_PID") ? "the same" : "another");
    printf("parent: %s\n", getppid() == number_of("BEING_PARENT") ? "the same" : "another");
    printf("group: %s\n", getpgrp() == number_of("BEING_GROUP") ? "the same" : "another");
    printf("session: %s\n", getsid(0) == number_of("BEING_SESSION") ? "the same" : "another");
    printf("terminal's group: %d\n", (int)tcgetpgrp(0));
    show_status();
    show_timer("real", ITIMER_REAL);
    show_timer("virtual", ITIMER_VIRTUAL);
    show_timer("profile", ITIMER_PROF);
    show_descriptors();
    printf("directory: %s\n", getcwd(cwd, sizeof cwd) != NULL ? cwd : strerror(errno));
    show_limits();
    show_family();
    printf("nice: %d, policy: %d, slack: %d, dumpable: %d, keepcaps: %d, io: %ld\n",
           getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), prctl(PR_GET_TIMERSLACK),
           prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS), syscall(SYS_ioprio_get, 1, 0));
    sched_getaffinity(0, sizeof cpus, &cpus);
    printf("processors: %d, the first: %d\n", CPU_COUNT(&cpus), CPU_ISSET(0, &cpus));
    show_file("/proc/self/comm");
    show_file("/proc/self/oom_score_adj");
    show_file("/proc/self/coredump_filter");
    show_file("/proc/self/personality");
    show_file("/proc/self/cgroup");
    show_file("/proc/self/sessionid");
    show_environment();
    fflush(stdout);
}

static void wait_for_signals(void)
{
    sigset_t blocked, wanted;
    siginfo_t info;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    sigfillset(&wanted);
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&blocked, number) == 1 || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
            sigdelset(&wanted, number);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    do {
        if (sigwaitinfo(&wanted, &info) < 0)
            continue;
        printf("signal %d", info.si_signo);
        if (info.si_code == SI_QUEUE)
            printf(" from %d with %d", (int)info.si_pid, info.si_value.sival_int);
        printf("\n");
        fflush(stdout);
    } while (info.si_signo != SIGTERM);
}

static void be_blocked(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void be_limited(__rlimit_resource_t which, rlim_t soft)
{
    struct rlimit limit;
    getrlimit(which, &limit);
    limit.rlim_cur = soft;
    setrlimit(which, &limit);
}

static void have_timers(void)
{
    const struct itimerval soon = {{77, 5}, {1000, 0}};
    setitimer(ITIMER_REAL, &soon, NULL);
    setitimer(ITIMER_VIRTUAL, &soon, NULL);
    setitimer(ITIMER_PROF, &soon, NULL);
}

static void have_pending(void)
{
    union sigval value = {.sival_int = 4711};
    be_blocked(SIGUSR1);
    be_blocked(SIGRTMIN + 3);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN + 3, value);
    sigqueue(getpid(), SIGRTMIN + 3, value);
}

static void have_child(int ends)
{
    siginfo_t info;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(0), close(1), close(2);
        while (!ends)
            pause();
        _exit(3);
    }
    if (ends)
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static void be_placed(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
    setpriority(PRIO_PROCESS, 0, 7);
    umask(0137);
    prctl(PR_SET_TIMERSLACK, 12345, 0, 0, 0);
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "345", 3) != 3)
        exit(1);
    close(fd);
    if (chdir("/usr/share") < 0)
        exit(1);
}

static void have_descriptors(void)
{
    int line[2];
    if (pipe(line) < 0 || dup2(line[0], 77) < 0 || dup2(line[1], 123) < 0)
        exit(1);
    close(line[0]);
    close(line[1]);
    close(0);
}

/* Has a listener of a filter that lets everything pass, as a container's manager may have. */
static void be_supervised(void)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    const struct sock_fprog program = {1, &allow};
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, (void *)&program);
    if (fd < 0 || fcntl((int)fd, F_SETFD, 0) < 0)
        exit(97);
}

static void put_into(const char *state)
{
    if (strcmp(state, "blocked") == 0)
        be_blocked(SIGUSR2), be_blocked(SIGCHLD);
    else if (strcmp(state, "pending") == 0)
        have_pending();
    else if (strcmp(state, "ignored") == 0)
        signal(SIGHUP, SIG_IGN), signal(SIGTTOU, SIG_IGN);
    else if (strcmp(state, "reaps_none") == 0)
        signal(SIGCHLD, SIG_IGN);
    else if (strcmp(state, "timers") == 0)
        have_timers();
    else if (strcmp(state, "limits") == 0)
        be_limited(RLIMIT_NOFILE, 200), be_limited(RLIMIT_CORE, 0), be_limited(RLIMIT_CPU, 100);
    else if (strcmp(state, "descriptors") == 0)
        have_descriptors();
    else if (strcmp(state, "child") == 0)
        have_child(0);
    else if (strcmp(state, "ended_child") == 0)
        have_child(1);
    else if (strcmp(state, "subreaper") == 0)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    else if (strcmp(state, "parent_dies") == 0)
        prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
    else if (strcmp(state, "placed") == 0)
        be_placed();
    else if (strcmp(state, "supervised") == 0)
        be_supervised();
    else
        exit(99);
}

static void set_number(const char *variable, long number)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", number);
    setenv(variable, text, 1);
}

int main(int argc, char **argv)
{
    int i = 2;
    if (argc > 1 && strcmp(argv[1], "--as") == 0) {
        for (; i < argc && strcmp(argv[i], "--") != 0; i++)
            put_into(argv[i]);
        set_number("BEING_PID", getpid());
        set_number("BEING_PARENT", getppid());
        set_number("BEING_GROUP", getpgrp());
        set_number("BEING_SESSION", getsid(0));
        if (i + 1 < argc)
            execvp(argv[i + 1], argv + i + 1);
        return 98;
    }
    show();
    if (argc > 1 && strcmp(argv[1], "--self") == 0)
        printf("itself %d\n", (int)getpid());
    if (argc > 1 && strcmp(argv[1], "--wait") == 0)
        wait_for_signals();
    return 0;
}
