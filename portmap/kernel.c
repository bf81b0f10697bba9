#include "kernel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return connect(fd, address, len);
}

int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return getsockname(fd, address, len);
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

uid_t kernel_euid(void)
{
#ifdef SYS_geteuid32
    return (uid_t)syscall(SYS_geteuid32);
#else
    return (uid_t)syscall(SYS_geteuid);
#endif
}

/* fstat(2) by its number would need another structure on each architecture. */
uid_t kernel_owner(int fd)
{
    struct statx file;
    struct stat st;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_UID, &file) == 0)
        return file.stx_uid;
    return fstat(fd, &st) == 0 ? st.st_uid : (uid_t)-1; /* before Linux 4.11 */
}
