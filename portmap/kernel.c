#include "kernel.h"

#include <fcntl.h>
#include <unistd.h>

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return connect(fd, address, len);
}

int kernel_open(int dirfd, const char *path)
{
    return openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

ssize_t kernel_pread(int fd, void *to, size_t size, off_t at)
{
    return pread(fd, to, size, at);
}

void kernel_close(int fd)
{
    close(fd);
}
