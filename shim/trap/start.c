#include "trap/start.h"

#include "base/kernel.h"
#include "base/text.h"
#include "trap/aside.h"
#include "trap/filter.h"
#include "trap/mask.h"
#include "trap/parts.h"
#include "trap/proxy.h"
#include "trap/question.h"
#include "trap/supervisor.h"
#include "trap/word.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* kernel.yama.ptrace_scope, of the Yama security module (Documentation/admin-guide/LSM/Yama.rst). */
enum scope { SCOPE_ANY, SCOPE_DESCENDANTS, SCOPE_PRIVILEGED, SCOPE_NOBODY };

static bool has_capability(unsigned capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    return kernel_call(SYS_capget, &header, sets) == 0 &&
           (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

static enum scope scope_here(void)
{
    char digit[16];
    if (text_read_once("/proc/sys/kernel/yama/ptrace_scope", digit, sizeof digit) <= 0)
        return SCOPE_ANY; /* a kernel without Yama */
    return *digit >= '0' && *digit <= '3' ? (enum scope)(*digit - '0') : SCOPE_ANY;
}

/* Whether a child would be in another pid namespace: this process has called unshare(2) or setns(2), but has
 * not been let a child execute it since. The first child would be the namespace's init(1), by whose end all
 * end. */
static bool is_apart_from_children(void)
{
    struct stat own, of_children;
    return stat("/proc/self/ns/pid", &own) == 0 &&
           (stat("/proc/self/ns/pid_for_children", &of_children) != 0 || own.st_ino != of_children.st_ino);
}

/* The process between C and S, so that S is nobody's child that the program could wait for. It shares the
 * memory of C, which waits for it. */
struct between {
    struct start start;
    bool tries; /* to install the filter, before C does */
    int fork_error, filter_error;
};

/* The stack is none that AddressSanitizer knows. It says so where a function ends the process. */
#define ON_OWN_STACK __attribute__((no_sanitize("address")))

ON_OWN_STACK _Noreturn static void supervise(const struct start *start)
{
    static struct word word;
    struct supervision supervision;
    int listener;
    setsid();
    aside_let_go(&start->talk[1], 1);
    aside_lift_limits();
    if (part_of_supervisor(start, &supervision, &listener, &word) != PART_DONE)
        _exit(0);
    word.kind = WORD_SERVED;
    word_send(start->talk[1], &word);
    kernel_close(start->talk[1]);
    aside_set_name("trap", start->program);
    part_serve(&supervision, listener);
    _exit(0);
}

/*
 * The first process of a pid namespace becomes the parent of every orphan there, and would wait for S as for
 * a child of its own. So S is its child from the beginning, like this process by clone(2) without a signal:
 * wait(2) passes such children over.
 */
static pid_t fork_for(pid_t program)
{
    if (program != 1)
        return mask_fork();
    return (pid_t)syscall(SYS_clone, CLONE_PARENT, NULL, NULL, NULL, NULL);
}

ON_OWN_STACK static int fork_supervisor(void *of)
{
    struct between *between = of;
    pid_t pid = fork_for(between->start.program);
    if (pid == 0)
        supervise(&between->start);
    between->fork_error = pid < 0 ? -errno : 0;
    if (between->tries) {
        const struct filter_wish wish = {.cookie = between->start.cookie};
        int listener = filter_install(&wish);
        between->filter_error = listener < 0 ? listener : 0;
    }
    _exit(0);
}

/*
 * Where there are filters already, one of them may have the listener, and C would learn that only after it
 * has set no_new_privs, which cannot be taken back.
 */
static bool may_be_in_vain(void)
{
    return !has_capability(CAP_SYS_ADMIN) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 &&
           prctl(PR_GET_SECCOMP) != 0;
}

/*
 * Runs fork_supervisor(). It ends without SIGCHLD (clone(2): no signal is named), so that the signals and the
 * children that this process had before are the only ones that the program has. Where this process is a
 * subreaper (prctl(2)), S would become its child.
 */
static int run_between(struct between *between)
{
    enum { STACK = 1024 * 1024 }; /* S has it for its life */
    int is_subreaper = 0;
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper, 0, 0, 0);
    if (is_subreaper)
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    int pid = clone(fork_supervisor, stack + STACK, CLONE_VM | CLONE_VFORK, between);
    int error = pid < 0 ? -errno : between->fork_error;
    if (pid > 0)
        waitpid(pid, NULL, (int)__WCLONE);
    if (is_subreaper)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    munmap(stack, STACK);
    return error;
}

static bool start_sibling(struct start *start, struct problem *problem)
{
    struct between between = {.start = *start, .tries = may_be_in_vain()};
    int error = run_between(&between);
    kernel_close(start->talk[1]);
    enum part part = PART_REFUSED;
    if (error != 0)
        part_refuse_process(problem, start->wish, error);
    else if (between.filter_error != 0)
        part_refuse_filter(problem, start->wish, between.filter_error);
    else
        part = part_of_program(start, problem);
    kernel_close(start->talk[0]);
    if (part == PART_LOST) {
        char line[PATH_MAX + 256];
        part_refuse_killed(problem, start->wish);
        problem_write(line, sizeof line, "", problem->what, problem->why, problem->remedy);
        _exit(125);
    }
    return part == PART_DONE;
}

static bool start_in_shape(struct start *start, struct problem *problem)
{
    enum scope scope = scope_here();
    bool is_free = scope == SCOPE_ANY || (scope != SCOPE_NOBODY && has_capability(CAP_SYS_PTRACE));
    if (!is_free && scope != SCOPE_DESCENDANTS)
        return part_refuse(problem, start->wish, "kernel.yama.ptrace_scope lets no process look into another",
                           "set it to 1, or use --trap=off");
    if (is_apart_from_children())
        return part_refuse(problem, start->wish, "its supervisor would be in another pid namespace",
                           "let unshare fork (-f), or use --trap=off");
    if (getrandom(&start->cookie, sizeof start->cookie, 0) != sizeof start->cookie)
        return part_refuse(problem, start->wish, "getrandom(2) is refused, as by a container's profile",
                           "allow it, or use --trap=off");
    start->cookie |= 1; /* 0 is what others pass */
    int error = word_pair(start->talk);
    if (error != 0)
        return part_refuse_process(problem, start->wish, error);
    return is_free ? start_sibling(start, problem) : proxy_start(start, problem);
}

bool trap_start(const struct trap_wish *wish, struct problem *problem)
{
    struct trap_question question;
    struct start start = {.wish = wish, .program = getpid()};
    if (trap_ask(&question, TRAP_RUN))
        return true;
    const mask before = mask_set(MASK_ALL);
    bool started = start_in_shape(&start, problem);
    mask_set(before);
    return started;
}
