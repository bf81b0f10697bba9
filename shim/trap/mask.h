/*
 * The signal mask of this thread, whole. musl's functions leave out three signals that it uses itself, of
 * which one is other programs' first real-time signal.
 */
#ifndef SHIM_TRAP_MASK_H
#define SHIM_TRAP_MASK_H

#include "base/kernel.h"

#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bit n - 1 for signal n. */
typedef uint64_t mask;

#define MASK_ALL UINT64_MAX

static inline mask mask_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* Blocks exactly these; returns what was blocked. */
static inline mask mask_set(mask blocked)
{
    mask before = 0;
    kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, &before, sizeof blocked);
    return before;
}

/* Of what is blocked, the signals that have come. */
static inline mask mask_pending(void)
{
    mask pending = 0;
    kernel_call(SYS_rt_sigpending, &pending, sizeof pending);
    return pending;
}

/* A descriptor that reads those signals (signalfd(2)) without waiting; or a negated errno. */
static inline int mask_open(mask signals)
{
    return (int)kernel_call(SYS_signalfd4, -1, &signals, sizeof signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

extern pid_t _Fork(void) __attribute__((weak)); /* glibc 2.34, musl 1.2.2 */

/* fork(2) without handlers of pthread_atfork(3), which block signals by musl's functions. */
static inline pid_t mask_fork(void)
{
    return _Fork != NULL ? _Fork() : fork();
}

#endif
