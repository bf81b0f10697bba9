/*
 * Which file a command means, as execvp(3) looks for it. Nothing is allocated; callable between vfork(2) and
 * exec. errno is not kept.
 */
#ifndef PORTMAP_PROGRAM_SEARCH_H
#define PORTMAP_PROGRAM_SEARCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The directory that a program starts in, as a path below another. */
struct place {
    int dirfd;      /* AT_FDCWD, or of a directory */
    char *path;     /* path[PATH_MAX]; NULL when it is dirfd itself */
    size_t length;  /* of the path, from dirfd to here */
    bool is_hidden; /* it cannot be told which */
};

/* What a path means from there: to be looked up in place->dirfd. It is good until the next call; NULL when it
 * is too long or cannot be told. */
const char *place_path(struct place *place, const char *path);

/*
 * Looks for a name without a slash in the directories of a PATH (NULL: none is set). 0 with path[size] filled
 * in, relative to the place or absolute. Where the place is hidden, a relative directory ends the search, as
 * if the name had been found in it. -ENOENT; -EACCES when files of that name may not be executed;
 * -ENAMETOOLONG when a path did not fit, unless size is PATH_MAX: execvp(3) skips longer ones.
 */
int search_list(struct place *place, const char *list, const char *name, char *path, size_t size);

/* The same for a command of this process, which may have a slash. 0 or a negated errno. */
int search_command(const char *command, char path[static PATH_MAX]);

#endif
