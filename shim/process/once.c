#include "process/once.h"

#include "base/kernel.h"
#include "process/apart.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* of all architectures that Linux has */
enum { LARGEST_PAGE = 65536 };

/* Large enough to contain one whole page, which holds nothing but the worker. */
APART char once_pages[2 * LARGEST_PAGE];

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
    uintptr_t page = ((uintptr_t)once_pages + page_size() - 1) & ~(uintptr_t)(page_size() - 1);
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

enum { SIGNALS = _NSIG - 1, WORD = 8 * sizeof(unsigned long) };

/* The kernel's set of signals. Functions of libc would have to be bound, each at every start. */
struct signals {
    unsigned long words[(SIGNALS + WORD - 1) / WORD];
};

static void leave_out(struct signals *set, int signal)
{
    set->words[(unsigned)(signal - 1) / WORD] &= ~(1UL << ((unsigned)(signal - 1) % WORD));
}

/* Leaves a signal with its default action out: ^C must not have to wait for a port server. */
static void leave_default_out(struct signals *set, int signal)
{
    struct sigaction action;
    if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        leave_out(set, signal);
}

static struct signals handled_later(bool brief)
{
    static const signed char now[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL, SIGTRAP,
                                      SIGSYS,  SIGABRT, 32,     33 /* libc's own, for its threads */};
    static const signed char ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGTSTP};
    struct signals set;
    memset(&set, 0xff, sizeof set);
    for (unsigned i = 0; i < sizeof now / sizeof *now; i++)
        leave_out(&set, now[i]);
    for (unsigned i = 0; !brief && i < sizeof ends / sizeof *ends; i++)
        leave_default_out(&set, ends[i]);
    return set;
}

static void mask_signals(int how, const struct signals *set, struct signals *before)
{
    kernel_call(SYS_rt_sigprocmask, how, set, before, sizeof *set);
}

/* What a thread had before it was left undisturbed. */
struct disturbed {
    struct signals mask;
    int cancel;
};

static struct disturbed be_undisturbed(bool brief)
{
    struct signals set = handled_later(brief);
    struct disturbed before;
    mask_signals(SIG_BLOCK, &set, &before.mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before.cancel);
    return before;
}

static void be_disturbed(const struct disturbed *before)
{
    pthread_setcancelstate(before->cancel, NULL);
    mask_signals(SIG_SETMASK, &before->mask, NULL);
}

static void work_once(_Atomic uint32_t *done, void (*work)(bool again))
{
    work(atomic_exchange(&begun, true));
    atomic_store(done, 1);
}

/* glibc's, since 2.32: true as long as the process has no other thread. */
extern char __libc_single_threaded __attribute__((weak));

bool once_alone(void)
{
    return &__libc_single_threaded != NULL && __libc_single_threaded;
}

/* A signal handler that runs before signals are blocked does the work, so look again then. */
static void work_alone(_Atomic uint32_t *done, void (*work)(bool again), bool brief)
{
    static bool is_working; /* then this is called from within `work`, or from the handler of a fault in it */
    if (is_working)
        return;
    struct disturbed before = be_undisturbed(brief);
    if (atomic_load(done) == 0) {
        is_working = true;
        work_once(done, work);
        is_working = false;
    }
    be_disturbed(&before);
}

/* Works unless a thread does so already, which is then *other. */
static bool work_first(_Atomic uint32_t *done, void (*work)(bool again), bool brief, uint64_t me,
                       uint64_t *other)
{
    struct disturbed before = be_undisturbed(brief);
    *other = 0;
    bool first = atomic_compare_exchange_strong(worker(), other, me);
    if (first && atomic_load(done) == 0) {
        work_once(done, work);
        kernel_call(SYS_futex, done, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
        wipe_on_fork(false); /* which makes every fork cheaper */
    }
    be_disturbed(&before);
    return first;
}

static void work_or_wait(_Atomic uint32_t *done, void (*work)(bool again), bool brief)
{
    for (uint64_t other, me = myself(); atomic_load(done) == 0;) {
        if (atomic_load(worker()) == 0)
            wipe_on_fork(true);
        if (work_first(done, work, brief, me, &other) || other == me)
            break;
        if (is_here(other))
            wait_until(done);
        else
            atomic_compare_exchange_strong(worker(), &other, 0);
    }
}

void once(_Atomic uint32_t *done, void (*work)(bool again), bool brief)
{
    int saved = errno;
    if (!once_alone())
        work_or_wait(done, work, brief);
    else if (atomic_load(done) == 0)
        work_alone(done, work, brief);
    errno = saved;
}
