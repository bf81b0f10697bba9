#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int lock_wait(int fd, int operation)
{
    while (flock(fd, operation) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

void lock_release(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}

int lock_directory(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = lock_wait(fd, LOCK_EX);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}
