/*
 * The file actions of posix_spawn(3), which may change the directory before the program is looked for.
 *
 * libc keeps them in a layout of its own. This is the one of glibc since 2.29, and it is read only in a
 * process that has added an action to change the directory, after the library has seen there, each time,
 * that such an action lies where it is expected.
 */
#ifndef SHIM_ACTIONS_H
#define SHIM_ACTIONS_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

/* A directory, as a path below another. */
struct place {
    int dirfd;      /* AT_FDCWD, or of a directory */
    char *path;     /* path[PATH_MAX], borrowed (borrow.h); NULL when it is dirfd itself */
    size_t length;  /* of the path, from dirfd to here */
    bool is_hidden; /* it cannot be told which */
};

/* The directory of a program that is started with these actions, or with none (NULL). place_leave() follows.
 */
struct place place_after(const posix_spawn_file_actions_t *actions);

/* What a path means from there: to be looked up in place->dirfd. It is good until the next call; NULL when it
 * is too long. */
const char *place_path(struct place *place, const char *path);

void place_leave(const struct place *place);

#endif
