/*
 * The runs whose programs a supervisor serves, each as a view (rules/view.h): its own, and those that were
 * made inside of it, where a second supervisor cannot be had.
 */
#ifndef SHIM_TRAP_VIEWS_H
#define SHIM_TRAP_VIEWS_H

#include "base/problem.h"
#include "rules/view.h"

#include <sys/types.h>

/* Joins the run that this process's environment names, as one of its processes. False with *problem filled
 * in. */
bool views_join(struct problem *problem);

/* The view of that run. */
struct view *views_own(void);

/* The view of the run that a process's environment names; that of the supervisor's run when it names none, or
 * one whose owner is neither the process's user nor the owner of the supervisor's run. */
struct view *views_of(pid_t process);

#endif
