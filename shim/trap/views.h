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

/* The environment that names a view's run: this process's, or that of the first process of an inner run. */
char *const *views_environment(const struct view *view);

/* The view of the run that the environment of a thread's process names; that of the supervisor's run when it
 * names none, or one whose owner is neither the thread's user nor the owner of the supervisor's run. */
struct view *views_of(pid_t thread);

/* A variable of the environment that a thread's process was executed with, valid until the next question.
 * NULL when it is not there, or /proc does not show it. */
const char *views_variable(pid_t thread, const char *name);

/* A descriptor that poll(2) finds readable when views_ended() is to be called; -1 when there is none. */
int views_descriptor(void);

/* Lets a run go that has no process any more, and returns what was its view and is to be forgotten; NULL when
 * there is none. A run that this process does not hold open can end. */
struct view *views_ended(void);

#endif
