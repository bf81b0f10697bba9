/*
 * Starting a program of a run under the trap (trap/start.h).
 */
#ifndef PORTMAP_COMMAND_TRAPPING_H
#define PORTMAP_COMMAND_TRAPPING_H

#include "base/problem.h"
#include "program/untrapped.h"
#include "run/map.h"

#include <stdbool.h>

/* Why there is no trap. */
struct trapping_refusal {
    enum untrapped reason; /* UNTRAPPED_OTHER: `problem` says it */
    struct problem problem;
};

/*
 * Puts this process under the trap, and has its environment, which names the run, say so. The map is that of
 * the run, NULL when it is out of reach; `program` is for messages. As trap_start(): returns true in the
 * process that is to execute the program, which may be another one than was called; false, with *refusal
 * filled in, when nothing has changed.
 */
bool trapping_start(const struct map *map, const char *program, struct trapping_refusal *refusal);

/* Has the process that stands in for a trapped program (trap/start.h) call this with the program's status, as
 * waitpid(2) has it, before it ends. */
void trapping_at_end(void (*call)(int status));

/* Fails because a program that must not run without the trap cannot have it. */
_Noreturn void trapping_fail(const char *program, const struct trapping_refusal *refusal);

/* Fills in *warning: that a program runs without the trap. */
void trapping_describe(const char *program, const struct trapping_refusal *refusal, struct problem *warning);

/* Whether a trap would take from set-user-ID programs what they have now: this process is an ordinary user's
 * (prctl(2), PR_SET_NO_NEW_PRIVS). */
bool trapping_takes_privileges(void);

/* Whether the environment says that this process may be below a trap. */
bool trapping_is_below(void);

/* Where this process is below a trap, asks its supervisor to let all its calls pass: it looks for free ports,
 * and serves real ones. */
void trapping_exempt(void);

/* The same: asks it to serve the processes of another run that is made here. */
void trapping_announce_run(void);

#endif
