#include "base/lock.h"

#include "base/text.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* The process that had the lock when a wait was over; 0: unknown. */
static _Atomic pid_t last_holder;

/* A wait: the calls pause longer each time. */
struct waiting {
    uint64_t deadline, pause; /* nanoseconds */
};

static uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct waiting waiting_for(unsigned milliseconds)
{
    return (struct waiting){.deadline = clock_now() + (uint64_t)milliseconds * 1000000, .pause = 100000};
}

/* Pauses; false when the time is over. */
static bool go_on(struct waiting *waiting)
{
    enum { LONGEST = 16000000 };
    if (clock_now() >= waiting->deadline)
        return false;
    const struct timespec pause = {.tv_nsec = (long)waiting->pause};
    nanosleep(&pause, NULL);
    if (waiting->pause < LONGEST)
        waiting->pause *= 2;
    return true;
}

/*
 * The holder that a line of /proc/locks (proc(5)) names, if it is about a lock of flock(2) on this file; else
 * 0. "7: FLOCK  ADVISORY  WRITE 1234 fe:00:2228501 0 EOF": the device's numbers are hexadecimal. Who waits
 * for a lock has a "->" before the second word.
 */
static pid_t holder_in(const char *line, const struct stat *file)
{
    const char *at = strchr(line, ' ');
    char *end;
    if (at == NULL || strncmp(at, " FLOCK ", 7) != 0)
        return 0;
    at += 7;
    at += strspn(at, " ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    long pid = strtol(at, &end, 10);
    unsigned long first = strtoul(end, &end, 16);
    if (*end != ':' || first != major(file->st_dev))
        return 0;
    unsigned long second = strtoul(end + 1, &end, 16);
    if (*end != ':' || second != minor(file->st_dev))
        return 0;
    return strtoull(end + 1, &end, 10) == file->st_ino && pid > 0 ? (pid_t)pid : 0;
}

/* Looks for the holder in the kernel's list of locks, once. */
static pid_t look_for_holder(int fd)
{
    char buffer[1024];
    struct stat file;
    size_t used = 0;
    ssize_t got;
    pid_t holder = 0;
    int locks = fstat(fd, &file) == 0 ? open("/proc/locks", O_RDONLY | O_CLOEXEC) : -1;
    if (locks < 0)
        return 0;
    while (holder == 0 && (got = read(locks, buffer + used, sizeof buffer - 1 - used)) > 0) {
        char *line = buffer, *newline;
        used += (size_t)got;
        buffer[used] = '\0';
        for (; holder == 0 && (newline = strchr(line, '\n')) != NULL; line = newline + 1) {
            *newline = '\0';
            holder = holder_in(line, &file);
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used);
    }
    close(locks);
    return holder;
}

/* Each read of the list goes on at a number in it. When locks are released meanwhile, those that follow move
 * up, and some are passed over. */
static pid_t find_holder(int fd)
{
    enum { LOOKS = 16 };
    pid_t holder = 0;
    for (unsigned looks = 0; holder == 0 && looks < LOOKS; looks++)
        holder = look_for_holder(fd);
    return holder;
}

int lock_wait(int fd, int operation, unsigned milliseconds)
{
    struct waiting waiting = waiting_for(milliseconds);
    while (flock(fd, operation | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (!go_on(&waiting)) {
            atomic_store(&last_holder, find_holder(fd));
            return PORTMAP_ELOCKED;
        }
    }
    return 0;
}

int lock_byte(int fd, off_t byte, unsigned milliseconds)
{
    struct waiting waiting = waiting_for(milliseconds);
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    while (fcntl(fd, F_SETLK, &wanted) < 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return -errno;
        if (!go_on(&waiting)) {
            struct flock held = wanted;
            bool known = fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
            atomic_store(&last_holder, known ? held.l_pid : 0);
            return PORTMAP_ELOCKED;
        }
    }
    return 0;
}

void lock_release(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}

int lock_directory(int dir, const char *name, unsigned milliseconds)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = lock_wait(fd, LOCK_EX, milliseconds);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

/* Appends " (COMMAND), which is stopped,", as far as /proc/PID/stat tells. */
static void add_process(struct text *t, pid_t pid)
{
    char path[32], stat[512];
    struct text name = text_in(path, sizeof path);
    text_str(&name, "/proc/");
    text_uint(&name, (uint64_t)pid);
    text_str(&name, "/stat");
    if (text_read_file(path, stat, sizeof stat) <= 0)
        return;
    const char *first = strchr(stat, '('), *last = strrchr(stat, ')');
    if (first == NULL || last == NULL)
        return;
    text_char(t, ' ');
    text_bytes(t, first, (size_t)(last + 1 - first));
    if (strncmp(last, ") T", 3) == 0 || strncmp(last, ") t", 3) == 0)
        text_str(t, ", which is stopped,");
}

const char *lock_strerror(int error)
{
    static char said[128];
    struct text t = text_in(said, sizeof said);
    pid_t holder = atomic_load(&last_holder);
    if (error != PORTMAP_ELOCKED || holder <= 0)
        return portmap_strerror(error);
    text_str(&t, "process ");
    text_uint(&t, (uint64_t)holder);
    add_process(&t, holder);
    text_str(&t, " does not give its lock back");
    return said;
}
