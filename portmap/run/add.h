/*
 * Adding placeholders to a run that exists already.
 */
#ifndef PORTMAP_RUN_ADD_H
#define PORTMAP_RUN_ADD_H

#include "run/run.h"

/* Adds the placeholders that the run does not have yet; the others keep their real ports. Writes the run's
 * map files again. 0, or a code of error.h with the run as it was. */
int run_add(struct run *run, const struct means *means, const struct portset *ports,
            struct run_problem *problem);

/*
 * Undoes the last run_add() of this struct, when what it was for could not be started. A placeholder that a
 * program has bound stays. All stay when a process has joined the run since, or more were added after them.
 */
void run_take_back(struct run *run, const struct home *home);

#endif
