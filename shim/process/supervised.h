/*
 * Whether this process is below a trap (trap/start.h): then a supervisor answers its calls about ports, those
 * that get past this library too. The library still translates all calls that it sees, and tells the
 * supervisor so (TRAP_HELLO). In return it gets the cookie: bind(2), getsockname(2) and getpeername(2) that
 * have it as sixth argument pass without waiting for the supervisor. In other calls, translated addresses
 * have it behind them.
 *
 * Go programs enter the kernel by themselves. Below a trap their supervisor translates everything and the
 * library nothing; it still carries the run to the programs that they start by libc.
 */
#ifndef SHIM_PROCESS_SUPERVISED_H
#define SHIM_PROCESS_SUPERVISED_H

#include "rules/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0: none. A child of fork(2) has its parent's filter, and so its cookie too. */
extern uint64_t supervised_cookie;

/*
 * When this process joins its run and was told that it is below a trap: asks the supervisor. Makes one system
 * call. Where nobody answers, because the supervisor has ended or the environment was handed to a process
 * outside, all is as without a trap. Ends the rewriting of own_view in a Go program.
 */
void supervised_ask(void);

/* Instead, in a program with PORTSHIM=0: asks the supervisor to change none of its calls either. */
void supervised_be_exempt(void);

/* Whether it was told so and the supervisor has answered. No system call. Async-signal-safe. */
bool supervised(void);

/*
 * What to call instead of the function of this name that is behind our wrapper, and whose place in struct
 * next (process/next.h) is at this offset: one that passes the cookie instead of libc's own; else `behind`.
 * So what another library passes on waits for the supervisor.
 */
void *supervised_way(size_t offset, const char *name, void *behind);

/* Before a translated address is handed to the kernel, below a trap: marks it as translated. */
void supervised_mark(struct outbound *out);

/* Whether the source addresses of datagrams must be received into buffers of ours, which are marked before.
 */
static inline bool supervised_lends(void)
{
    return supervised_cookie != 0;
}

void supervised_mark_room(union address *room);

#endif
