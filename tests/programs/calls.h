/*
 * The calls that portshim rewrites, by three ways into the kernel: libc's functions, the function that
 * fortified programs call instead, and libc's syscall(). Test programs do the same by each way.
 */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct calls {
    const char *way;
    int (*bind)(int, const void *, socklen_t);
    int (*connect)(int, const void *, socklen_t);
    int (*getsockname)(int, void *, socklen_t *);
    int (*getpeername)(int, void *, socklen_t *);
    int (*accept)(int, void *, socklen_t *);
    int (*accept4)(int, void *, socklen_t *);
    ssize_t (*sendto)(int, const void *, size_t, int, const void *, socklen_t);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
    ssize_t (*recvfrom)(int, void *, size_t, int, void *, socklen_t *);
    ssize_t (*recvmsg)(int, struct msghdr *, int);
    int (*recvmmsg)(int, struct mmsghdr *, unsigned, int);
};

/* What recvfrom() becomes in a program that is compiled with -D_FORTIFY_SOURCE. */
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);

static int libc_bind(int fd, const void *address, socklen_t len)
{
    return bind(fd, address, len);
}

static int libc_connect(int fd, const void *address, socklen_t len)
{
    return connect(fd, address, len);
}

static int libc_getsockname(int fd, void *address, socklen_t *len)
{
    return getsockname(fd, address, len);
}

static int libc_getpeername(int fd, void *address, socklen_t *len)
{
    return getpeername(fd, address, len);
}

static int libc_accept(int fd, void *address, socklen_t *len)
{
    return accept(fd, address, len);
}

static int libc_accept4(int fd, void *address, socklen_t *len)
{
    return accept4(fd, address, len, SOCK_CLOEXEC);
}

static ssize_t libc_sendto(int fd, const void *bytes, size_t size, int flags, const void *address,
                           socklen_t len)
{
    return sendto(fd, bytes, size, flags, address, len);
}

static ssize_t libc_recvfrom(int fd, void *bytes, size_t size, int flags, void *address, socklen_t *len)
{
    return recvfrom(fd, bytes, size, flags, address, len);
}

static int libc_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return recvmmsg(fd, messages, count, flags, NULL);
}

static ssize_t checked_recvfrom(int fd, void *bytes, size_t size, int flags, void *address, socklen_t *len)
{
    return __recvfrom_chk(fd, bytes, size, size, flags, address, len);
}

static int raw_bind(int fd, const void *address, socklen_t len)
{
    return (int)syscall(SYS_bind, fd, address, len);
}

static int raw_connect(int fd, const void *address, socklen_t len)
{
    return (int)syscall(SYS_connect, fd, address, len);
}

static int raw_getsockname(int fd, void *address, socklen_t *len)
{
    return (int)syscall(SYS_getsockname, fd, address, len);
}

static int raw_getpeername(int fd, void *address, socklen_t *len)
{
    return (int)syscall(SYS_getpeername, fd, address, len);
}

static int raw_accept4(int fd, void *address, socklen_t *len)
{
    return (int)syscall(SYS_accept4, fd, address, len, SOCK_CLOEXEC);
}

#ifdef SYS_accept
static int raw_accept(int fd, void *address, socklen_t *len)
{
    return (int)syscall(SYS_accept, fd, address, len);
}
#else
#define raw_accept raw_accept4
#endif

static ssize_t raw_sendto(int fd, const void *bytes, size_t size, int flags, const void *address,
                          socklen_t len)
{
    return syscall(SYS_sendto, fd, bytes, size, flags, address, len);
}

static ssize_t raw_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return syscall(SYS_sendmsg, fd, message, flags);
}

static int raw_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

static ssize_t raw_recvfrom(int fd, void *bytes, size_t size, int flags, void *address, socklen_t *len)
{
    return syscall(SYS_recvfrom, fd, bytes, size, flags, address, len);
}

static ssize_t raw_recvmsg(int fd, struct msghdr *message, int flags)
{
    return syscall(SYS_recvmsg, fd, message, flags);
}

static int raw_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)syscall(SYS_recvmmsg, fd, messages, count, flags, NULL);
}

static const struct calls all_calls[] = {
    {"libc", libc_bind, libc_connect, libc_getsockname, libc_getpeername, libc_accept, libc_accept4,
     libc_sendto, sendmsg, sendmmsg, libc_recvfrom, recvmsg, libc_recvmmsg},
    {"fortified", libc_bind, libc_connect, libc_getsockname, libc_getpeername, libc_accept, libc_accept4,
     libc_sendto, sendmsg, sendmmsg, checked_recvfrom, recvmsg, libc_recvmmsg},
    {"syscall", raw_bind, raw_connect, raw_getsockname, raw_getpeername, raw_accept, raw_accept4, raw_sendto,
     raw_sendmsg, raw_sendmmsg, raw_recvfrom, raw_recvmsg, raw_recvmmsg},
};

/* The calls of the way that a program's argument names. */
static inline const struct calls *calls_by(const char *way)
{
    for (size_t i = 0; i < sizeof all_calls / sizeof *all_calls; i++)
        if (strcmp(all_calls[i].way, way) == 0)
            return &all_calls[i];
    fprintf(stderr, "no such way: %s\n", way);
    exit(2);
}

#endif
