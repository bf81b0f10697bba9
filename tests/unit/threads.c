/* Descriptors of other processes' threads: trap/threads.h. Also where a pidfd is one of a whole thread group,
 * as before Linux 6.9. */
#include "unit.h"

#include "trap/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NUMBER = 100 };

static int ready[2];

/* Runs `work` in a child that lives as long as this test. Returns what that reports as its thread's number.
 */
static pid_t thread_of_child(void (*work)(void))
{
    pid_t thread = 0;
    equal(pipe(ready), 0);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        for (;;)
            pause();
    }
    equal(read(ready[0], &thread, sizeof thread), sizeof thread);
    return thread;
}

static void report(void)
{
    pid_t own = (pid_t)syscall(SYS_gettid);
    if (write(ready[1], &own, sizeof own) != sizeof own)
        _exit(1);
}

static void open_as_number(const char *file)
{
    int fd = open(file, O_RDONLY);
    if (dup2(fd, NUMBER) != NUMBER)
        _exit(1);
    close(fd);
}

static void *report_and_stay(void *none)
{
    report();
    pause();
    return none;
}

static void *with_own_table(void *none)
{
    if (unshare(CLONE_FILES) != 0)
        _exit(1);
    open_as_number("/dev/zero");
    return report_and_stay(none);
}

/* When the first thread of the process has ended. */
static void *report_alone(void *none)
{
    char state = 0;
    for (FILE *stat; state != 'Z'; fclose(stat))
        if ((stat = fopen("/proc/self/stat", "r")) == NULL || fscanf(stat, "%*d %*s %c", &state) != 1)
            _exit(1);
    return report_and_stay(none);
}

static void start(void *(*work)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0)
        _exit(1);
}

static void share_table(void)
{
    open_as_number("/dev/null");
    start(report_and_stay);
}

static void part_table(void)
{
    open_as_number("/dev/null");
    start(with_own_table);
}

static void leave_thread(void)
{
    open_as_number("/dev/null");
    start(report_alone);
    pthread_exit(NULL);
}

static void refuse_pidfds_of_threads(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_EXCL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static bool has_pidfds_of_threads(void)
{
    return syscall(SYS_pidfd_open, getpid(), O_EXCL) >= 0;
}

/* Whether the thread's descriptor NUMBER can be had, and is that file. */
static bool gives(pid_t thread, const char *file)
{
    struct stat here, there;
    int own = threads_descriptor(thread, NUMBER);
    check(own >= 0 || own == -EPERM, "%s", strerror(-own));
    if (own < 0)
        return false;
    equal(fstat(own, &here), 0);
    equal(stat(file, &there), 0);
    equal(here.st_rdev, there.st_rdev);
    close(own);
    return true;
}

static void try_tables(bool by_thread)
{
    check(gives(thread_of_child(share_table), "/dev/null"), "of a thread");
    equal(gives(thread_of_child(part_table), "/dev/zero"), by_thread);
    equal(gives(thread_of_child(leave_thread), "/dev/null"), by_thread);
}

TEST("a thread's own descriptors are had, or none")
{
    try_tables(has_pidfds_of_threads());
}

TEST("so where there are only pidfds of processes")
{
    refuse_pidfds_of_threads();
    try_tables(false);
}

TEST("many threads are served by a process that may open few files")
{
    const struct rlimit few = {16, 16};
    pid_t threads[40];
    for (unsigned i = 0; i < 40; i++) {
        threads[i] = thread_of_child(share_table);
        close(ready[0]);
        close(ready[1]);
    }
    equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 40; i++)
            check(gives(threads[i], "/dev/null"), "thread %u", i);
}
