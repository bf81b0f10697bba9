#include "trap/threads.h"

#include "base/kernel.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PIDFD_THREAD /* since Linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif

enum { KEPT = 128 };

static struct thread kept[KEPT];

/* Where the number's thread is kept. Not more are kept than a quarter of the files that this process may
 * have. */
static struct thread *place_of(pid_t number)
{
    static unsigned places;
    struct rlimit files;
    if (places == 0) {
        places = KEPT;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 < KEPT)
            places = files.rlim_cur < 4 ? 1 : (unsigned)files.rlim_cur / 4;
    }
    return &kept[(unsigned)number % places];
}

static int open_pidfd(pid_t number, unsigned flags)
{
    long fd = syscall(SYS_pidfd_open, number, flags);
    return fd < 0 ? -errno : (int)fd;
}

/* The group of a thread, from a line of proc(5), status. 0 when that cannot be read. */
static pid_t read_group(pid_t number)
{
    char path[40], line[32];
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)number);
    text_str(&t, "/status");
    const char *digits = line;
    uint64_t group;
    if (text_read_line(path, "Tgid:", line, sizeof line) < 0)
        return 0;
    while (*digits == ' ' || *digits == '\t')
        digits++;
    return text_take_uint(&digits, digits + 20, INT32_MAX, &group) ? (pid_t)group : 0;
}

/* What pidfs tells by ioctl(2) of a pidfd since Linux 6.13, as in linux/pidfd.h: at a hundredth of the cost.
 */
struct told {
    uint64_t mask, cgroup;
    uint32_t number, group, rest[10];
};
_Static_assert(sizeof(struct told) == 64, "the first version of struct pidfd_info");
#define TELL _IOWR(0xff, 11, struct told)

static pid_t group_of(int pidfd, pid_t number)
{
    struct told told = {.mask = 1 /* PIDFD_INFO_PID */};
    bool is_told = pidfd >= 0 && kernel_call(SYS_ioctl, pidfd, TELL, &told) == 0 && (told.mask & 1) != 0;
    return is_told ? (pid_t)told.group : read_group(number);
}

static void forget(struct thread *thread)
{
    if (thread->number != 0)
        close(thread->pidfd);
    *thread = (struct thread){.number = 0};
}

static bool learn(struct thread *thread, pid_t number)
{
    int fd = open_pidfd(number, PIDFD_THREAD);
    pid_t group = group_of(fd, number);
    bool is_of_thread = fd >= 0;
    if (fd == -EINVAL)
        fd = open_pidfd(group != 0 ? group : number, 0);
    if (fd < 0)
        return false;
    *thread = (struct thread){.number = number, .group = group, .pidfd = fd, .is_of_thread = is_of_thread};
    for (unsigned i = 0; i < KEPT && group != 0 && thread->image == NULL; i++)
        if (&kept[i] != thread && kept[i].number != 0 && kept[i].group == group) {
            thread->random_at = kept[i].random_at; /* it runs the same program */
            thread->image = kept[i].image;
        }
    return true;
}

/* Signal 0 is not sent. Once a thread has ended, nothing can be found out by its pidfd. */
static bool is_still(const struct thread *thread)
{
    if (thread->is_of_thread)
        return syscall(SYS_pidfd_send_signal, thread->pidfd, 0, NULL, 0) == 0 || errno == EPERM;
    return thread->group == 0 || syscall(SYS_tgkill, thread->group, thread->number, 0) == 0 || errno == EPERM;
}

struct thread *threads_find(pid_t number)
{
    struct thread *thread = place_of(number);
    if (number <= 0)
        return NULL;
    if (thread->number == number && is_still(thread))
        return thread;
    forget(thread);
    return learn(thread, number) ? thread : NULL;
}

/*
 * The pidfd of a group gives the descriptors of its first thread. Another thread may have left that one's
 * table (unshare(2), CLONE_FILES), and the first thread has none any more when it has ended. Where kcmp(2) is
 * refused, nobody can tell.
 */
static bool has_descriptors_of_pidfd(const struct thread *thread)
{
    return thread->is_of_thread || thread->group == thread->number || thread->group == 0 ||
           syscall(SYS_kcmp, thread->group, thread->number, KCMP_FILES, 0, 0) <= 0;
}

static int duplicate(const struct thread *thread, int fd)
{
    if (!has_descriptors_of_pidfd(thread))
        return -EPERM;
    long own = syscall(SYS_pidfd_getfd, thread->pidfd, fd, 0);
    return own < 0 ? -errno : (int)own;
}

int threads_descriptor(pid_t number, int fd)
{
    struct thread *thread = place_of(number);
    /* By its own pidfd, a thread that has ended gives nothing. */
    int own = number > 0 && thread->number == number && thread->is_of_thread ? duplicate(thread, fd) : -ESRCH;
    if (own == -ESRCH && (thread = threads_find(number)) != NULL)
        own = duplicate(thread, fd);
    return own;
}
