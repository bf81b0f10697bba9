/*
 * sendmsg(2) and its relatives under the names that 32-bit programs with a 64-bit time_t call (glibc 2.34,
 * _TIME_BITS=64). Times in control messages and timeouts have another layout there; the rules are the same.
 */
#include "calls/calls.h"
#include "process/attach.h"

#if __SIZEOF_POINTER__ == 4

/* libc's functions, with these four in place of the plain ones. */
static struct next way(void)
{
    struct next way = *next();
    way.sendmsg = BEHIND(&way, __sendmsg64);
    way.recvmsg = BEHIND(&way, __recvmsg64);
    way.sendmmsg = BEHIND(&way, __sendmmsg64);
    way.recvmmsg = BEHIND(&way, __recvmmsg64);
    return way;
}

ssize_t __sendmsg64(int fd, const struct msghdr *message, int flags)
{
    const struct next time64 = way();
    return call_sendmsg(&time64, fd, message, flags);
}

ssize_t __recvmsg64(int fd, struct msghdr *message, int flags)
{
    const struct next time64 = way();
    return call_recvmsg(&time64, fd, message, flags);
}

int __sendmmsg64(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    const struct next time64 = way();
    return call_sendmmsg(&time64, fd, messages, count, flags);
}

int __recvmmsg64(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    const struct next time64 = way();
    return call_recvmmsg(&time64, fd, messages, count, flags, timeout);
}

#endif
