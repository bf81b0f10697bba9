/* Waiting for locks: base/lock.h. */
#include "directory.h"

#include "base/lock.h"
#include "error.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>

enum { OTHERS = 200, READS = 4 };

static int others[OTHERS]; /* files whose locks this process has, until somebody has read of them so often */
static bool have_others;

static void release_others(void)
{
    for (unsigned i = 0; i < OTHERS; i++)
        flock(others[i], LOCK_UN);
    have_others = false;
}

/* The module's read(2): the locks that it has read of are gone before it reads on, and those that follow move
 * up in the kernel's list. */
ssize_t read(int fd, void *buffer, size_t size)
{
    static unsigned reads;
    char own[32];
    ssize_t got = syscall(SYS_read, fd, buffer, size);
    snprintf(own, sizeof own, " %d ", (int)getpid());
    if (have_others && got > 0 && memmem(buffer, (size_t)got, own, strlen(own)) != NULL && ++reads == READS)
        release_others();
    return got;
}

/* The kernel lists locks by the processor on which they were taken. */
static void stay_on_this_processor(void)
{
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((unsigned)sched_getcpu(), &only);
    check(sched_setaffinity(0, sizeof only, &only) == 0, "cannot stay on one processor");
}

static int open_numbered(unsigned number)
{
    char name[16];
    snprintf(name, sizeof name, "%u", number);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(fd >= 0, "%s", name);
    return fd;
}

/* Starts a process that has the lock of the file, and waits until it has it. */
static pid_t hold(const char *file)
{
    int ready[2];
    char byte;
    check(pipe(ready) == 0, "no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (flock(fd, LOCK_EX) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        alarm(UNIT_SECONDS);
        pause();
    }
    close(ready[1]);
    check(pid > 0 && read(ready[0], &byte, 1) == 1, "nobody has the lock");
    return pid;
}

TEST("who has a lock is found while other locks are released")
{
    char expected[32];
    enter_new_directory();
    stay_on_this_processor();
    int fd = open_numbered(OTHERS);
    pid_t holder = hold("200");
    for (unsigned i = 0; i < OTHERS; i++)
        flock(others[i] = open_numbered(i), LOCK_EX);
    have_others = true;
    int error = lock_wait(fd, LOCK_EX, 0);
    kill(holder, SIGKILL);
    equal(error, PORTMAP_ELOCKED);
    check(!have_others, "nobody has read of these locks");
    snprintf(expected, sizeof expected, "process %d", (int)holder);
    check(strncmp(lock_strerror(error), expected, strlen(expected)) == 0, "%s", lock_strerror(error));
}
