#include "process/once.h"

#include "base/kernel.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* of all architectures that Linux has */
enum { LARGEST_PAGE = 65536 };

/* Large enough to contain one whole page, which holds nothing but the worker. */
static char pages[2 * LARGEST_PAGE];

static atomic_bool begun;
static atomic_bool is_wiped; /* fork(2) clears that page in the child */

static size_t page_size(void)
{
    return (size_t)getpagesize();
}

/*
 * The thread that does the work, as (pid << 32 | thread id); 0: none. The kernel clears this page in a forked
 * child (madvise(2), MADV_WIPEONFORK), where nobody does the work. A child of vfork(2) sees the memory of its
 * parent, and so its parent's thread. Linux before 4.14 does not clear the page; then the pid tells.
 */
static _Atomic uint64_t *worker(void)
{
    uintptr_t page = ((uintptr_t)pages + page_size() - 1) & ~(uintptr_t)(page_size() - 1);
    return (void *)page;
}

static void wipe_on_fork(bool wipe)
{
    is_wiped = madvise(worker(), page_size(), wipe ? MADV_WIPEONFORK : MADV_KEEPONFORK) == 0 && wipe;
}

static uint64_t myself(void)
{
    return (uint64_t)(uint32_t)getpid() << 32 | (uint32_t)gettid();
}

static bool is_here(uint64_t thread)
{
    return is_wiped || (pid_t)(thread >> 32) == getpid();
}

static void wait_until(_Atomic uint32_t *done)
{
    while (atomic_load(done) == 0)
        kernel_call(SYS_futex, done, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* Takes a signal with its default action out of the set: ^C must not have to wait for a port server. */
static void keep_default(sigset_t *set, int signal)
{
    struct sigaction action;
    if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        sigdelset(set, signal);
}

static sigset_t handled_later(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGTSTP};
    sigset_t set;
    sigfillset(&set);
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&set, faults[i]);
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++)
        keep_default(&set, ends[i]);
    return set;
}

static void work_undisturbed(_Atomic uint32_t *done, void (*work)(bool again))
{
    sigset_t set = handled_later(), before;
    int cancel;
    /* This thread's mask. pthread_sigmask(3) is in libpthread in glibc before 2.32. */
    sigprocmask(SIG_BLOCK, &set, &before);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    work(atomic_exchange(&begun, true));
    atomic_store(done, 1);
    kernel_call(SYS_futex, done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
    wipe_on_fork(false); /* which makes every fork cheaper */
    pthread_setcancelstate(cancel, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void once(_Atomic uint32_t *done, void (*work)(bool again))
{
    int saved = errno;
    for (uint64_t me = myself(); atomic_load(done) == 0;) {
        uint64_t other = 0;
        if (atomic_load(worker()) == 0)
            wipe_on_fork(true);
        if (atomic_compare_exchange_strong(worker(), &other, me))
            work_undisturbed(done, work);
        else if (other == me)
            break;
        else if (is_here(other))
            wait_until(done);
        else
            atomic_compare_exchange_strong(worker(), &other, 0);
    }
    errno = saved;
}
