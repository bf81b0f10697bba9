/*
 * Which run a person means by "[RUN] PORT...". RUN may be left out: then it is the run that the command is
 * in, or else the one that was started in the working directory, or nearest above it.
 */
#ifndef PORTMAP_COMMAND_MEANT_H
#define PORTMAP_COMMAND_MEANT_H

#include "base/problem.h"
#include "lease/home.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Takes RUN from the words that follow the options, and moves *words past it. NULL when it is left out: every
 * word is a list of ports or "all", and the first is neither the name of a living run nor a map file. One
 * word alone is a PORT where one is needed, whatever runs there are.
 */
const char *meant_take(const struct home *home, char ***words, bool needs_port);

/*
 * Finds the run that is meant where RUN is left out: its directory in path[PATH_MAX]. Inside a run (the
 * environment has PORTSHIM_RUN) it is that. Else it is the living run that was started in the working
 * directory, or nearest above it: no higher than worktree_of() says. 0; PORTMAP_ENORUN when there is none; or
 * another code with *problem filled in: when several are as near, or PORTSHIM_RUN names none that lives.
 */
int meant_here(const struct home *home, char path[static PATH_MAX], struct problem *problem);

/* A run that was started in the working directory and has just ended, so that there is no record of it yet
 * (run/ended.h); 0 when there is none, or one that lives. */
uint64_t meant_ended_here(const struct home *home);

/* RUN as written; or where it is NULL the directory of the run of meant_here(), or fails. */
const char *meant_run(const struct home *home, const char *run);

#endif
