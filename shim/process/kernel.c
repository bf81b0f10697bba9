#include "base/kernel.h"

#include "process/next.h"
#include "process/supervised.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* Our own calls: the supervisor is not asked about them. The question to it is a bind(2) of no descriptor. */
static bool takes_cookie(long number, long fd)
{
    return (number == SYS_bind || number == SYS_getsockname || number == SYS_getpeername) && (int)fd >= 0;
}

long kernel_call(long number, ...)
{
    int saved = errno;
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    if (takes_cookie(number, a))
        f = (long)supervised_cookie();
    long result = BEHIND(&next_functions, syscall)(number, a, b, c, d, e, f);
    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
}
