/*
 * The supervisor's life: it answers the calls of a trapped program and of all that this starts, until the
 * last of them has ended.
 */
#ifndef SHIM_TRAP_SUPERVISOR_H
#define SHIM_TRAP_SUPERVISOR_H

#include "base/problem.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervision {
    pid_t first;     /* the process of the program; this one was forked from it */
    uint64_t cookie; /* of its filter */
    bool strict;     /* see struct trap_wish */
};

/* Before the program is trapped: joins the run that the environment names, and tries what a supervisor needs:
 * to read memory of `first` and to take a descriptor from it. False with *problem filled in. */
bool supervisor_prepare(const struct supervision *supervision, struct problem *problem);

/* Answers until nobody uses the filter of this listener any more. Never waits for anything else. */
void supervisor_run(const struct supervision *supervision, int listener);

#endif
