/*
 * Adding placeholders to a run that is there.
 */
#ifndef PORTMAP_RUN_ADD_H
#define PORTMAP_RUN_ADD_H

#include "run/run.h"

/*
 * Adds the placeholders that the run does not have yet; those it has keep their real ports. Its map files are
 * written again. 0, or a code of error.h with the run as it was.
 */
int run_add(struct run *run, const struct means *means, const struct portset *ports,
            struct run_problem *problem);

/*
 * Undoes the last run_add() of this struct when what it was for could not be started. Without effect once a
 * program of the run may use what was added: has bound it, or has joined the run since.
 */
void run_take_back(struct run *run, const struct home *home);

#endif
