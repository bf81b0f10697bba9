/*
 * What a process asks its supervisor through the trap. The question is a bind(2) of no descriptor: the kernel
 * itself answers EBADF, so that a process which nobody supervises learns that at the cost of one system call.
 *
 * The library asks (process/supervised.c), and the command. Shared by two programs of one version: whatever
 * changes here changes TRAP_MAGIC.
 */
#ifndef SHIM_TRAP_QUESTION_H
#define SHIM_TRAP_QUESTION_H

#include "base/kernel.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

enum trap_ask {
    TRAP_HELLO,   /* our library is in this program: it translates addresses, and wants the cookie */
    TRAP_RUN,     /* a run is made inside of the supervisor's run: processes of it will be served too */
    TRAP_EXEMPT,  /* this program is the command portshim, or has PORTSHIM=0: none of its calls is changed */
    TRAP_PRESENT, /* nothing: the process wants to know whether it has a supervisor */
};

#define TRAP_MAGIC "portshim trap 1"

struct trap_question {
    char magic[16];  /* TRAP_MAGIC */
    uint32_t ask;    /* enum trap_ask */
    uint32_t answer; /* set to 1 by the supervisor */
    uint64_t run_id; /* of the run that this process belongs to, as the supervisor sees it; 0: none */
    /* The filter lets bind(2), getsockname(2) and getpeername(2) pass that have it as sixth argument: on i386
     * those that are made by themselves, not through socketcall(2), with its lower half. */
    uint64_t cookie;
};

/* Asks the supervisor. True when there is one of this version, and the answer is in *question. */
static inline bool trap_ask(struct trap_question *question, enum trap_ask ask)
{
    *question = (struct trap_question){.magic = TRAP_MAGIC, .ask = ask};
    return kernel_call(SYS_bind, -1, question, sizeof *question, 0, 0, 0) == 0 && question->answer == 1;
}

/*
 * In any other call, the library puts the cookie into an address that it has translated, where the kernel
 * does not look: into the padding of an IPv4 address, behind an IPv6 address. The supervisor would take a
 * number of the kernel's for the placeholder of this number, which a socket of the run may have got as
 * ephemeral port.
 */
enum {
    TRAP_MARK_IPV4 = offsetof(struct sockaddr_in, sin_zero),
    TRAP_MARK_IPV6 = sizeof(struct sockaddr_in6)
};

static inline size_t trap_mark_at(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? TRAP_MARK_IPV6 : TRAP_MARK_IPV4;
}

/* Marks the address of len bytes, at least as many as its family has. Returns its length now. */
static inline socklen_t trap_mark(struct sockaddr_storage *address, socklen_t len, uint64_t cookie)
{
    size_t at = trap_mark_at(address), whole = at + sizeof cookie;
    if (len < at)
        memset((char *)address + len, 0, at - len);
    memcpy((char *)address + at, &cookie, sizeof cookie);
    return len < whole ? (socklen_t)whole : len;
}

static inline bool trap_is_marked(const struct sockaddr_storage *address, socklen_t len, uint64_t cookie)
{
    size_t at = trap_mark_at(address);
    return len >= at + sizeof cookie && memcmp((const char *)address + at, &cookie, sizeof cookie) == 0;
}

/*
 * A buffer for the source address of a datagram begins with the cookie when it is the library's, which will
 * translate the address.
 */
static inline void trap_mark_room(struct sockaddr_storage *room, uint64_t cookie)
{
    memcpy(room, &cookie, sizeof cookie);
}

_Static_assert(sizeof((struct sockaddr_in){0}.sin_zero) == sizeof(uint64_t), "an IPv4 address stays as long");

#endif
