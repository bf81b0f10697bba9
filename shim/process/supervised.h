/*
 * Whether this process is below a trap (trap/start.h): then a supervisor answers its calls about ports, those
 * that get past this library too. The library still translates all calls that it sees, and tells the
 * supervisor so (TRAP_HELLO). In return it gets the cookie: bind(2), getsockname(2) and getpeername(2) that
 * have it as sixth argument pass without waiting for the supervisor. In other calls, translated addresses
 * have it with them.
 *
 * The supervisor is asked when that first matters: before the first call about ports, or when the program
 * installs a filter of its own. Most programs make no such call. Where nobody answers, because the supervisor
 * has ended or the environment was handed to a process outside, all is as without a trap.
 *
 * Go programs enter the kernel by themselves. Below a trap their supervisor translates everything and the
 * library nothing; it still carries the run to the programs that they start by libc.
 */
#ifndef SHIM_PROCESS_SUPERVISED_H
#define SHIM_PROCESS_SUPERVISED_H

#include "rules/rules.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum supervised { SUPERVISED_NOT, SUPERVISED_UNASKED, SUPERVISED_ANSWERED };

extern _Atomic(enum supervised) supervised_state;

/* When this process joins its run and was told that it may be below a trap. No system call, but in a Go
 * program, where it ends the rewriting of own_view: one. */
void supervised_may_be(void);

/* Instead, in a program with PORTSHIM=0 and in the command portshim: asks the supervisor to change none of
 * its calls either. */
void supervised_be_exempt(void);

/* Asks if that has not been done. The first time it makes one system call. Leaves errno alone.
 * Async-signal-safe; threads that call it at once each ask. */
bool supervised_asked(void);

/* Whether a supervisor has answered. */
static inline bool supervised(void)
{
    return atomic_load_explicit(&supervised_state, memory_order_acquire) != SUPERVISED_NOT &&
           supervised_asked();
}

/* The cookie, 0: none. A child of fork(2) has its parent's filter, and so its cookie too. */
uint64_t supervised_cookie(void);

/*
 * What to call instead of the function of this name that is behind our wrapper, and whose place in struct
 * next (process/next.h) is at this offset: one that passes the cookie instead of libc's own; else `behind`.
 * So what another library passes on waits for the supervisor.
 */
void *supervised_way(size_t offset, const char *name, void *behind);

/* Before a translated address is handed to the kernel, below a trap: marks it as translated. */
void supervised_mark(struct outbound *out);

/* Before a buffer of ours for the source address of a datagram is handed to the kernel, below a trap: tells
 * the supervisor that we translate. */
void supervised_mark_room(union address *room);

#endif
