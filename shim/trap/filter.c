#include "trap/filter.h"

#include "trap/numbers.h"

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* since Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { PROGRAM_SIZE = 256, X32_NUMBERS = 0x40000000 };

struct program {
    struct sock_filter code[PROGRAM_SIZE];
    unsigned short length;
};

static struct sock_filter *put(struct program *p, unsigned code, unsigned k, unsigned if_true,
                               unsigned if_false)
{
    struct sock_filter *at = &p->code[p->length++];
    *at = (struct sock_filter){(unsigned short)code, (unsigned char)if_true, (unsigned char)if_false, k};
    return at;
}

static void load(struct program *p, size_t offset)
{
    put(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* Goes on with the next instruction if what was loaded is k, else jumps over `skip` more. */
static struct sock_filter *unless(struct program *p, unsigned k, unsigned skip)
{
    return put(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip);
}

static void give(struct program *p, unsigned action)
{
    put(p, BPF_RET | BPF_K, action, 0, 0);
}

/* The lower half of an argument; the upper one follows, as both machines are little endian. */
static size_t argument(unsigned n)
{
    return offsetof(struct seccomp_data, args) + n * sizeof(uint64_t);
}

static void trap_always(struct program *p, int number)
{
    unless(p, (unsigned)number, 1);
    give(p, SECCOMP_RET_USER_NOTIF);
}

/* Lets the call pass if argument n is `value`. */
static void trap_unless(struct program *p, int number, unsigned n, uint64_t value)
{
    unless(p, (unsigned)number, 6);
    load(p, argument(n));
    unless(p, (unsigned)value, 2);
    load(p, argument(n) + 4);
    put(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value >> 32), 1, 0);
    give(p, SECCOMP_RET_USER_NOTIF);
    give(p, SECCOMP_RET_ALLOW);
}

static bool is_wanted(const struct filter_wish *wish, enum call_name name)
{
    return wish->datagrams || name < CALL_SENDTO;
}

/* The calls that have a number of their own. */
static void trap_direct(struct program *p, const struct filter_wish *wish, const struct number *calls,
                        uint64_t cookie)
{
    enum { ADDRESS = 4, LAST = 5 }; /* arguments: of sendto(2) and recvfrom(2) the address */
    for (unsigned i = 0; i < CALL_NAMES; i++) {
        enum call_name name = calls[i].name;
        if (!is_wanted(wish, name))
            continue;
        if (name == CALL_SENDTO || name == CALL_RECVFROM)
            trap_unless(p, calls[i].direct, ADDRESS, 0);
        else if (name == CALL_BIND || name == CALL_GETSOCKNAME || name == CALL_GETPEERNAME)
            trap_unless(p, calls[i].direct, LAST, cookie);
        else
            trap_always(p, calls[i].direct);
    }
}

#ifdef NUMBERS_ARCH
static void trap_native(struct program *p, const struct filter_wish *wish)
{
    trap_direct(p, wish, numbers, wish->cookie);
}
#endif

#ifdef NUMBERS_ARCH_NARROW
static void trap_socketcall(struct program *p, const struct filter_wish *wish)
{
    struct sock_filter *other = unless(p, NUMBER_SOCKETCALL, 0);
    unsigned before = p->length;
    load(p, argument(0));
    for (unsigned i = 0; i < CALL_NAMES; i++)
        if (is_wanted(wish, numbers_narrow[i].name))
            trap_always(p, numbers_narrow[i].socketcall);
    give(p, SECCOMP_RET_ALLOW);
    other->jf = (unsigned char)(p->length - before);
}

static void trap_narrow(struct program *p, const struct filter_wish *wish)
{
    trap_direct(p, wish, numbers_narrow, (uint32_t)wish->cookie);
    if (wish->datagrams)
        trap_always(p, NUMBER_RECVMMSG_TIME64);
    trap_socketcall(p, wish);
}
#endif

/* The calls of one machine; those of others are looked at by what follows. */
static void for_machine(struct program *p, unsigned machine, const struct filter_wish *wish,
                        void (*calls)(struct program *, const struct filter_wish *))
{
    load(p, offsetof(struct seccomp_data, arch));
    struct sock_filter *mine = unless(p, machine, 1);
    mine->jt = 1;
    mine->jf = 0;
    struct sock_filter *over = put(p, BPF_JMP | BPF_JA, 0, 0, 0);
    unsigned before = p->length;
    load(p, offsetof(struct seccomp_data, nr));
    /* x32: the program would reach the kernel by numbers that nobody looks at. */
    put(p, BPF_JMP | BPF_JGE | BPF_K, X32_NUMBERS, 0, 1);
    give(p, SECCOMP_RET_ERRNO | ENOSYS);
    /* Addresses in a ring are in nobody's sight. Programs that get ENOSYS make calls instead. */
    unless(p, IO_URING_SETUP, 1);
    give(p, SECCOMP_RET_ERRNO | ENOSYS);
    calls(p, wish);
    give(p, SECCOMP_RET_ALLOW);
    over->k = p->length - before;
}

static void build(struct program *p, const struct filter_wish *wish)
{
#ifdef NUMBERS_ARCH
    for_machine(p, NUMBERS_ARCH, wish, trap_native);
#endif
#ifdef NUMBERS_ARCH_NARROW
    for_machine(p, NUMBERS_ARCH_NARROW, wish, trap_narrow);
#endif
    give(p, SECCOMP_RET_ALLOW);
}

static int install(const struct sock_fprog *program)
{
    /* Without SPEC_ALLOW, kernels before 5.16 make the whole process slower. */
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV |
                          SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    return listener < 0 ? -errno : (int)listener;
}

int filter_install(const struct filter_wish *wish)
{
    static struct program program;
    program.length = 0;
    build(&program, wish);
    const struct sock_fprog handed = {program.length, program.code};
    int listener = install(&handed);
    if (listener == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        listener = install(&handed);
    return listener;
}
