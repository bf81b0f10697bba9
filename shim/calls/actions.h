/*
 * The file actions of posix_spawn(3), which may change the directory before the program is looked for.
 *
 * libc keeps them in a layout of its own. This is the one of glibc since 2.29, and it is read only in a
 * process that has added an action to change the directory, after the library has seen there, each time,
 * that such an action lies where it is expected.
 */
#ifndef SHIM_CALLS_ACTIONS_H
#define SHIM_CALLS_ACTIONS_H

#include "program/search.h"

#include <spawn.h>

/* The directory of a program that is started with these actions, or with none (NULL). Its path is borrowed
 * (borrow.h): place_leave() follows. */
struct place place_after(const posix_spawn_file_actions_t *actions);

void place_leave(const struct place *place);

#endif
