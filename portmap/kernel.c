#include "kernel.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int kernel_socket(int family, int type, int protocol)
{
    return (int)kernel_call(SYS_socket, family, type, protocol);
}

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)kernel_call(SYS_bind, fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)kernel_call(SYS_connect, fd, address, len);
}

int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return (int)kernel_call(SYS_getsockname, fd, address, len);
}

int kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return (int)kernel_call(SYS_getsockopt, fd, level, name, value, len);
}

int kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)kernel_call(SYS_setsockopt, fd, level, name, value, len);
}

int kernel_open(int dirfd, const char *path)
{
    return (int)kernel_call(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* preadv(2) takes the offset in two words everywhere, pread64(2) does not. */
ssize_t kernel_pread(int fd, void *to, size_t size, off_t at)
{
    struct iovec vector = {to, size};
    return kernel_call(SYS_preadv, fd, &vector, 1, (long)at, (long)(at < 0 ? -1 : 0));
}

void kernel_close(int fd)
{
    kernel_call(SYS_close, fd);
}

uid_t kernel_euid(void)
{
#ifdef SYS_geteuid32
    return (uid_t)kernel_call(SYS_geteuid32);
#else
    return (uid_t)kernel_call(SYS_geteuid);
#endif
}

/* fstat(2) by its number would need another structure on each architecture. */
uid_t kernel_owner(int fd)
{
    struct statx file;
    struct stat st;
    if (kernel_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_UID, &file) == 0)
        return file.stx_uid;
    return fstat(fd, &st) == 0 ? st.st_uid : (uid_t)-1; /* before Linux 4.11 */
}
