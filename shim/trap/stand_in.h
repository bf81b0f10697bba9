/*
 * P's life in the proxy's shape: for its parent, its process group and whoever sends it a signal, it stands
 * in for C, which executes the program.
 */
#ifndef SHIM_TRAP_STAND_IN_H
#define SHIM_TRAP_STAND_IN_H

#include "trap/start.h"

#include <sys/types.h>

struct stand_in {
    pid_t program, supervisor; /* C, S */
    int descriptor;            /* a pidfd of C */
    int line;                  /* to S */
};

/* With all signals blocked. Ends as C ends; with 125 when S was killed, after it has killed C. */
_Noreturn void stand_in(const struct stand_in *stand_in, const struct trap_wish *wish);

#endif
