/*
 * syscall(2), libc's function: with the number of a call that we rewrite, it follows the same rules.
 *
 * libuv before 1.45 sends datagrams by syscall(__NR_sendmmsg, ...). Such a call goes on to the kernel by
 * libc's syscall(), as sendmmsg() would be a cancellation point. Any other number is passed on with all six
 * arguments.
 */
#include "calls/calls.h"
#include "calls/start.h"
#include "process/attach.h"
#include "process/carry.h"
#include "process/supervised.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

static int raw_prctl(int option, ...)
{
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long);
    unsigned long c = va_arg(rest, unsigned long), d = va_arg(rest, unsigned long);
    va_end(rest);
    return (int)BEHIND(&next_functions, syscall)(SYS_prctl, option, a, b, c, d);
}

static int raw_socket(int family, int type, int protocol)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_socket, family, type, protocol);
}

static int raw_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_bind, fd, address, len, 0L, 0L,
                                                 (long)supervised_cookie());
}

static int raw_listen(int fd, int backlog)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_listen, fd, backlog);
}

static int raw_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_connect, fd, address, len);
}

static int raw_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_getsockname, fd, address, len, 0L, 0L,
                                                 (long)supervised_cookie());
}

static int raw_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_getpeername, fd, address, len, 0L, 0L,
                                                 (long)supervised_cookie());
}

#ifdef SYS_accept
static int raw_accept(int fd, struct sockaddr *address, socklen_t *len)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_accept, fd, address, len);
}
#endif

static int raw_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_accept4, fd, address, len, flags);
}

static ssize_t raw_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
                          socklen_t len)
{
    return BEHIND(&next_functions, syscall)(SYS_sendto, fd, bytes, size, flags, address, len);
}

static ssize_t raw_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return BEHIND(&next_functions, syscall)(SYS_sendmsg, fd, message, flags);
}

static int raw_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_sendmmsg, fd, messages, count, flags);
}

static ssize_t raw_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
                            socklen_t *len)
{
    return BEHIND(&next_functions, syscall)(SYS_recvfrom, fd, bytes, size, flags, address, len);
}

static ssize_t raw_recvmsg(int fd, struct msghdr *message, int flags)
{
    return BEHIND(&next_functions, syscall)(SYS_recvmsg, fd, message, flags);
}

static int raw_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    return (int)BEHIND(&next_functions, syscall)(SYS_recvmmsg, fd, messages, count, flags, timeout);
}

static const struct next raw = {
    .prctl = raw_prctl,
    .socket = raw_socket,
    .bind = raw_bind,
    .listen = raw_listen,
    .connect = raw_connect,
#ifdef SYS_accept
    .accept = raw_accept,
#endif
    .accept4 = raw_accept4,
    .getsockname = raw_getsockname,
    .getpeername = raw_getpeername,
    .sendto = raw_sendto,
    .sendmsg = raw_sendmsg,
    .sendmmsg = raw_sendmmsg,
    .recvfrom = raw_recvfrom,
    .recvmsg = raw_recvmsg,
    .recvmmsg = raw_recvmmsg,
};

static const struct next *raw_next(void)
{
    next();
    return &raw;
}

/* An argument that is a pointer. One that is an int is cast: like the kernel, this drops the upper half. */
#define POINTER(argument) ((void *)(argument))

static long execute(long path, long argv, long envp)
{
    next();
    struct carried carried = CARRY(POINTER(envp));
    long result = -1;
    if (start_exec(AT_FDCWD, POINTER(path), 0, POINTER(argv), &carried))
        result = BEHIND(&next_functions, syscall)(SYS_execve, path, argv, carried.environment);
    carry_end(&carried);
    return result;
}

static long execute_at(long dirfd, long path, long argv, long envp, long flags)
{
    next();
    struct carried carried = CARRY(POINTER(envp));
    long result = -1;
    if (start_exec((int)dirfd, POINTER(path), (int)flags, POINTER(argv), &carried))
        result =
            BEHIND(&next_functions, syscall)(SYS_execveat, dirfd, path, argv, carried.environment, flags);
    carry_end(&carried);
    return result;
}

long syscall(long number, ...)
{
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    switch (number) {
    case SYS_prctl:
        return call_prctl(raw_next(), (int)a, (unsigned long)b, (unsigned long)c, (unsigned long)d,
                          (unsigned long)e);
    case SYS_seccomp:
        return call_seccomp((unsigned)a, (unsigned)b, POINTER(c));
    case SYS_socket:
        return call_socket(raw_next(), (int)a, (int)b, (int)c);
    case SYS_bind:
        return call_bind(raw_next(), (int)a, POINTER(b), (socklen_t)c);
    case SYS_listen:
        return call_listen(raw_next(), (int)a, (int)b);
    case SYS_connect:
        return call_connect(raw_next(), (int)a, POINTER(b), (socklen_t)c);
    case SYS_getsockname:
        return call_getsockname(raw_next(), (int)a, POINTER(b), POINTER(c));
    case SYS_getpeername:
        return call_getpeername(raw_next(), (int)a, POINTER(b), POINTER(c));
#ifdef SYS_accept
    case SYS_accept:
        return call_accept(raw_next(), (int)a, POINTER(b), POINTER(c));
#endif
    case SYS_accept4:
        return call_accept4(raw_next(), (int)a, POINTER(b), POINTER(c), (int)d);
    case SYS_sendto:
        return call_sendto(raw_next(), (int)a, POINTER(b), (size_t)c, (int)d, POINTER(e), (socklen_t)f);
    case SYS_sendmsg:
        return call_sendmsg(raw_next(), (int)a, POINTER(b), (int)c);
    case SYS_sendmmsg:
        return call_sendmmsg(raw_next(), (int)a, POINTER(b), (unsigned)c, (int)d);
    case SYS_recvfrom:
        return call_recvfrom(raw_next(), (int)a, POINTER(b), (size_t)c, (int)d, POINTER(e), POINTER(f));
    case SYS_recvmsg:
        return call_recvmsg(raw_next(), (int)a, POINTER(b), (int)c);
    case SYS_recvmmsg:
        return call_recvmmsg(raw_next(), (int)a, POINTER(b), (unsigned)c, (int)d, POINTER(e));
    case SYS_execve:
        return execute(a, b, c);
    case SYS_execveat:
        return execute_at(a, b, c, d, e);
    case SYS_landlock_add_rule:
        return call_landlock_add_rule(a, b, c, d);
    default: /* without next(): a sanitizer's runtime makes such calls before it is ready itself */
        return BEHIND(&next_functions, syscall)(number, a, b, c, d, e, f);
    }
}
