#include "process/filter.h"

#include "calls/calls.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Before the program installs a filter: what is not found out now cannot be asked any more. */
static void expect_filter(void)
{
    view_settle(&own_view);
    atomic_fetch_add(&own_view.filters, 1);
}

/* Takes a failed attempt back: libraries make one to find out what the kernel can do. */
static long counted(long result)
{
    if (result == -1)
        atomic_fetch_sub(&own_view.filters, 1);
    return result;
}

int call_prctl(const struct next *way, int option, unsigned long a, unsigned long b, unsigned long c,
               unsigned long d)
{
    if (option != PR_SET_SECCOMP)
        return BEHIND(way, prctl)(option, a, b, c, d);
    expect_filter();
    return (int)counted(BEHIND(way, prctl)(option, a, b, c, d));
}

long call_seccomp(unsigned operation, unsigned flags, void *arguments)
{
    next();
    if (operation != SECCOMP_SET_MODE_STRICT && operation != SECCOMP_SET_MODE_FILTER)
        return BEHIND(&next_functions, syscall)(SYS_seccomp, operation, flags, arguments);
    expect_filter();
    return counted(BEHIND(&next_functions, syscall)(SYS_seccomp, operation, flags, arguments));
}

int prctl(int option, ...)
{
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long);
    unsigned long c = va_arg(rest, unsigned long), d = va_arg(rest, unsigned long);
    va_end(rest);
    return call_prctl(next(), option, a, b, c, d);
}
