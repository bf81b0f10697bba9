/*
 * The file actions of posix_spawn(3) may change the directory before the program is looked for.
 *
 * libc keeps the actions in a private layout; this module knows the one of glibc since 2.29. It reads a list
 * only in a process that has added an action which changes the directory. Each time the program adds one, the
 * module checks that the action lies where it is expected.
 */
#ifndef SHIM_CALLS_ACTIONS_H
#define SHIM_CALLS_ACTIONS_H

#include "program/search.h"

#include <spawn.h>

/* The directory in which a program with these actions, or none (NULL), starts. Its path is in borrowed memory
 * (process/borrow.h), which place_leave() returns. */
struct place place_after(const posix_spawn_file_actions_t *actions);

void place_leave(const struct place *place);

#endif
