#include "process/supervised.h"

#include "process/attach.h"
#include "process/loaded.h"
#include "process/own_program.h"
#include "trap/question.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

_Atomic(enum supervised) supervised_state;

static uint64_t cookie; /* once that is SUPERVISED_ANSWERED; 0 in a Go program */

/* A system call, made here: libc's syscall() would be one more function to return from, see INLINED in
 * calls/calls.h. */
#if defined __x86_64__ && defined __LP64__
static inline long call(long number, long a, long b, long c, long last)
{
    register long d __asm__("r10") = 0, e __asm__("r8") = 0, f __asm__("r9") = last;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(d), "r"(e), "r"(f)
                     : "rcx", "r11", "memory");
    return number;
}
#elif defined __aarch64__ && defined __LP64__
static inline long call(long number, long a, long b, long c, long last)
{
    register long n __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b;
    register long third __asm__("x2") = c, d __asm__("x3") = 0, e __asm__("x4") = 0, f __asm__("x5") = last;
    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(n), "r"(second), "r"(third), "r"(d), "r"(e), "r"(f)
                     : "memory");
    return first;
}
#else
static long call(long number, long a, long b, long c, long last)
{
    return kernel_call(number, a, b, c, 0L, 0L, last);
}
#endif

static inline int call_past(long number, int fd, const void *address, long len)
{
    long result = call(number, fd, (long)address, len, (long)cookie);
    if (result >= 0)
        return (int)result;
    errno = (int)-result;
    return -1;
}

static int bind_past(int fd, const struct sockaddr *address, socklen_t len)
{
    return call_past(SYS_bind, fd, address, (long)len);
}

static int getsockname_past(int fd, struct sockaddr *address, socklen_t *len)
{
    return call_past(SYS_getsockname, fd, address, (long)len);
}

static int getpeername_past(int fd, struct sockaddr *address, socklen_t *len)
{
    return call_past(SYS_getpeername, fd, address, (long)len);
}

/* None of the three is a cancellation point, in libc as here. */
static void *way_past(size_t offset)
{
    switch (offset) {
    case offsetof(struct next, bind):
        return bind_past;
    case offsetof(struct next, getsockname):
        return getsockname_past;
    case offsetof(struct next, getpeername):
        return getpeername_past;
    default:
        return NULL;
    }
}

void *supervised_way(size_t offset, const char *name, void *behind)
{
    void *past = way_past(offset);
    bool is_libcs = past != NULL && behind != NULL && behind == loaded_function(loaded_libc(), name);
    return is_libcs && supervised_cookie() != 0 ? past : behind;
}

/* Another thread may have asked meanwhile, and got the same answer. */
static bool ask(enum trap_ask what)
{
    struct trap_question question;
    bool answered = trap_ask(&question, what);
    if (answered && what == TRAP_HELLO)
        cookie = question.cookie;
    atomic_store(&supervised_state, answered ? SUPERVISED_ANSWERED : SUPERVISED_NOT);
    return answered;
}

void supervised_may_be(void)
{
    cookie = 0;
    atomic_store(&supervised_state, SUPERVISED_UNASKED);
    /* Functions that were looked up before are looked up again, by way of supervised_way(). */
    next_functions.bind = NULL;
    next_functions.getsockname = NULL;
    next_functions.getpeername = NULL;
    if (own_program_is_go() && ask(TRAP_PRESENT))
        own_view.active = false;
}

void supervised_be_exempt(void)
{
    struct trap_question question;
    trap_ask(&question, TRAP_EXEMPT);
}

bool supervised_asked(void)
{
    enum supervised state = atomic_load(&supervised_state);
    return state == SUPERVISED_UNASKED ? ask(TRAP_HELLO) : state == SUPERVISED_ANSWERED;
}

uint64_t supervised_cookie(void)
{
    return supervised() ? cookie : 0;
}

void supervised_mark(struct outbound *out)
{
    if (supervised_cookie() != 0)
        out->len = trap_mark(&out->to.storage, out->len, cookie);
}

void supervised_mark_room(union address *room)
{
    if (supervised_cookie() != 0)
        trap_mark_room(&room->storage, cookie);
}
