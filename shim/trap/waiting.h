/*
 * Calls of trapped programs that wait for a socket: for a datagram to come, or for room to send one.
 *
 * The supervisor answers many programs in one thread and must not wait. So such a call is made without
 * waiting (MSG_DONTWAIT); if it would have to wait, it is kept here, and made again when the socket is ready.
 * In the meantime the kernel does not wake the thread for a signal, unless that ends the program. So /proc is
 * asked now and then for signals that the thread has not blocked; then the call ends as the kernel would end
 * it.
 */
#ifndef SHIM_TRAP_WAITING_H
#define SHIM_TRAP_WAITING_H

#include "rules/view.h"
#include "trap/call.h"

#include <poll.h>

/* A call, made as far as it can be made without waiting. */
struct attempt {
    const struct view *view;
    const struct call *call;
    int socket;    /* a duplicate of the program's */
    unsigned done; /* messages of sendmmsg(2) or recvmmsg(2) that are finished */
    int64_t end;   /* of recvmmsg(2)'s time limit, as waiting_clock(); meaningless without one */
    short events;  /* what the call waits for: POLLIN or POLLOUT */
    /* Goes on with the call. ANSWERED_LATER: it would have to wait. */
    struct answer (*make)(struct attempt *attempt);
};

/* Makes a call, now or when its socket is ready, and closes the socket. When too many calls wait, the kernel
 * receives in the place of this one, or it fails with ENOBUFS if it sends. */
struct answer waiting_make(struct attempt *attempt);

/* Whether a call with these flags (MSG_DONTWAIT) waits. */
bool waiting_may(int socket, int flags);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t waiting_clock(void);

/*
 * For the supervisor's loop: a descriptor that is readable (POLLIN) when waiting_work() has something to do,
 * -1 while no call has ever waited; and in how many milliseconds it has something to do even so, -1: never.
 */
int waiting_descriptor(void);
int waiting_timeout(void);

/* Makes and answers what can be. */
void waiting_work(void);

#endif
