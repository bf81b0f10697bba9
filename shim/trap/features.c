#include "trap/features.h"

#include "base/kernel.h"
#include "base/text.h"
#include "trap/filter.h"
#include "trap/question.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* since Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef PIDFD_THREAD /* since Linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif

/* The same number in all forks of this process. */
static uint64_t word;

/* Each tries one feature, in a process of its own, and enters what it finds. `other` is a process to look
 * into. */
typedef void attempt(struct trap_features *features, pid_t other);

static void try_filter(struct trap_features *features, pid_t other)
{
    (void)other;
    const struct filter_wish wish = {.cookie = 1};
    bool had_no_new_privs = kernel_has_no_new_privs();
    struct trap_question question;
    int listener = filter_install(&wish);
    features->filter = listener < 0 ? listener : 0;
    features->takes_privileges = !had_no_new_privs && kernel_has_no_new_privs();
    features->is_below_ours = listener == -EBUSY && trap_ask(&question, TRAP_EXEMPT);
    if (listener >= 0)
        features->wake_up = (int)kernel_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                                             SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

static void try_thread_pidfds(struct trap_features *features, pid_t other)
{
    (void)other;
    long pidfd = kernel_call(SYS_pidfd_open, getpid(), PIDFD_THREAD);
    features->thread_pidfds = pidfd < 0 ? (int)pidfd : 0;
}

static int copy_word(long call, pid_t other)
{
    const struct iovec here = {&word, sizeof word}; /* at the same place in that process, which is a fork */
    long copied = kernel_call(call, other, &here, 1, &here, 1, 0);
    return copied == sizeof word ? 0 : copied < 0 ? (int)copied : -EFAULT;
}

static int look_into(pid_t other)
{
    int error = copy_word(SYS_process_vm_readv, other);
    return error != 0 ? error : copy_word(SYS_process_vm_writev, other);
}

static void try_memory(struct trap_features *features, pid_t other)
{
    features->memory = look_into(other);
}

static void try_others(struct trap_features *features, pid_t other)
{
    features->others = look_into(other);
}

static void try_descriptors(struct trap_features *features, pid_t other)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    long pidfd = kernel_call(SYS_pidfd_open, other, 0);
    long fd = pidfd < 0 ? pidfd : kernel_call(SYS_pidfd_getfd, pidfd, null >= 0 ? null : STDERR_FILENO, 0);
    /* That process may have no such descriptor: then it has been looked into, too. */
    features->descriptors = fd >= 0 || fd == -EBADF ? 0 : (int)fd;
}

/* As fork(2), of a child whose end gives no signal to this process, which may be about to execute a program:
 * it is waited for whatever that program does with SIGCHLD, and leaves none pending. */
static pid_t fork_quietly(void)
{
    return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

/* 0 with *status filled in, or a negated errno. */
static int wait_for(pid_t pid, int *status)
{
    while (waitpid(pid, status, __WALL) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* A process that does nothing until it is ended, also when its parent ends first. */
static pid_t fork_sleeper(void)
{
    pid_t parent = getpid(), pid = fork_quietly();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent)
        pause();
    _exit(0);
}

static void end(pid_t pid)
{
    int status;
    if (pid > 0 && kill(pid, SIGKILL) == 0)
        wait_for(pid, &status);
}

/* Where the sleeper is: nowhere, a child of the process that tries, or a sibling of it. */
enum other { NOBODY, CHILD, SIBLING };

static int run(attempt *tried, struct trap_features *features, enum other where)
{
    pid_t sibling = where == SIBLING ? fork_sleeper() : 0, pid = sibling < 0 ? sibling : fork_quietly();
    int error = pid < 0 ? -errno : 0, status = 0;
    if (pid == 0) {
        pid_t child = where == CHILD ? fork_sleeper() : 0;
        if (child >= 0)
            tried(features, where == CHILD ? child : sibling);
        end(child);
        _exit(child < 0);
    }
    if (error == 0)
        error = wait_for(pid, &status);
    end(sibling);
    return error == 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0 ? -EAGAIN : error;
}

static int yama_scope(void)
{
    char digit[16];
    int len = text_read_once("/proc/sys/kernel/yama/ptrace_scope", digit, sizeof digit);
    return len > 0 && *digit >= '0' && *digit <= '9' ? *digit - '0' : -1;
}

int trap_features_try(struct trap_features *features)
{
    static const struct {
        attempt *attempt;
        enum other other;
    } all[] = {{try_filter, NOBODY},
               {try_thread_pidfds, NOBODY},
               {try_memory, CHILD},
               {try_descriptors, CHILD},
               {try_others, SIBLING}};
    struct trap_features *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -errno;
    *shared = (struct trap_features){.filter = -ECANCELED,
                                     .memory = -ECANCELED,
                                     .descriptors = -ECANCELED,
                                     .others = -ECANCELED,
                                     .wake_up = -ECANCELED,
                                     .thread_pidfds = -ECANCELED,
                                     .yama = yama_scope()};
    int error = 0;
    for (unsigned i = 0; error == 0 && i < sizeof all / sizeof *all; i++)
        error = run(all[i].attempt, shared, all[i].other);
    *features = *shared;
    munmap(shared, sizeof *shared);
    return error;
}

enum untrapped trap_features_lack(const struct trap_features *features)
{
    enum { YAMA_PRIVILEGED = 2 };
    if (features->is_below_ours)
        return UNTRAPPED_UNSAID;
    if (features->filter != 0)
        return features->filter == -EBUSY    ? UNTRAPPED_OCCUPIED
               : features->filter == -EINVAL ? UNTRAPPED_KERNEL
                                             : UNTRAPPED_FILTER;
    if (features->memory == -EPERM && features->yama >= YAMA_PRIVILEGED)
        return UNTRAPPED_YAMA;
    if (features->memory != 0)
        return UNTRAPPED_MEMORY;
    return features->descriptors != 0 ? UNTRAPPED_DESCRIPTORS : UNTRAPPED_UNSAID;
}
