/*
 * Which file a command means: the search that execvp(3) makes. Nothing is allocated; callable between
 * vfork(2) and exec. errno may change.
 */
#ifndef PORTMAP_PROGRAM_SEARCH_H
#define PORTMAP_PROGRAM_SEARCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The directory that a program will start in, as a path relative to another directory. */
struct place {
    int dirfd;      /* that other directory, or AT_FDCWD */
    char *path;     /* path[PATH_MAX], which begins with that path; NULL when it is dirfd itself */
    size_t length;  /* of that path, with a slash at its end; 0: it is dirfd itself */
    bool is_hidden; /* it is not known which directory */
};

/* What a path means in that place, to be looked up in place->dirfd. Valid until the next call. NULL when it
 * is too long, or relative to a hidden place. */
const char *place_path(struct place *place, const char *path);

/*
 * Looks for a name without a slash in the directories of a PATH (NULL: none is set). 0 with path[size] filled
 * in, absolute or relative to the place. If the place is hidden, a relative directory ends the search as if
 * it had the file. -ENOENT; -EACCES when files of that name may not be executed; -ENAMETOOLONG when a path
 * did not fit, unless size is PATH_MAX: then longer paths are skipped, as by execvp(3).
 */
int search_list(struct place *place, const char *list, const char *name, char *path, size_t size);

/* The same for a command of this process, with or without a slash. 0 or a negated errno. */
int search_command(const char *command, char path[static PATH_MAX]);

#endif
