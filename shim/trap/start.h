/*
 * Starting a program under the trap: this process, C, gets a seccomp filter that stops its calls about ports,
 * and a supervisor, S, that answers them (trap/supervisor.h).
 *
 * Two shapes. As a sibling, S is forked twice away from C, which keeps its pid. Where the kernel lets only
 * ancestors look into a process (an ordinary user under Yama's ptrace_scope 1), C is a grandchild of the
 * process that was called, P, which waits for it: P -> S -> C.
 */
#ifndef SHIM_TRAP_START_H
#define SHIM_TRAP_START_H

#include "base/problem.h"

#include <stdbool.h>

struct trap_wish {
    const char *program; /* for messages */
    bool datagrams;      /* placeholders may be of UDP: calls that send and receive are trapped as well */
    bool strict;         /* a program whose memory cannot be read must not reach a placeholder's own number */
    /* In the proxy's shape: P calls this with the program's status, as waitpid(2) has it, before it ends.
     * NULL: nothing. */
    void (*ended)(int status);
};

/*
 * Puts this process under the trap, for the run that its environment names (PORTSHIM_RUN, PORTSHIM_COMPACT).
 * Returns true in the process that is to execute the program: this one, or in the proxy's shape another one
 * with its signals, its descriptors, its session and its process group, while this one becomes P and never
 * returns. Returns true also when this process is below a supervisor of portshim's already. False, with
 * *problem filled in, when the trap cannot be had: nothing has changed then, and nothing was started.
 */
bool trap_start(const struct trap_wish *wish, struct problem *problem);

#endif
