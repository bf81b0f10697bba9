/*
 * How far up from a directory things are looked for that belong to it, and the branch of a git worktree. Only
 * git's files are read; git is never run.
 */
#ifndef PORTMAP_COMMAND_WORKTREE_H
#define PORTMAP_COMMAND_WORKTREE_H

#include <stdbool.h>
#include <stddef.h>

/* The directories from one up to the root of its worktree: the nearest that has `.git`, a directory or a
 * file. Where there is none, up to $HOME, to the root of the file system, or to that of the whole. */
struct worktree {
    unsigned height; /* how many levels the last of them is above the first */
    bool found;      /* that is the root of a worktree */
};

/* `directory` is a path; so are those of worktree_above(). */
struct worktree worktree_of(const char *directory);

enum { WORKTREE_PATH_SIZE = 4096 };

/* The path of the directory that is so many levels above another: 0, or -ENAMETOOLONG. */
int worktree_above(const char *directory, unsigned levels, char path[static WORKTREE_PATH_SIZE]);

/*
 * The branch of the worktree in which a directory is, in branch[size]: its name without refs/heads/, or the
 * first 7 digits of a detached commit. False when the directory is in no worktree, or git's files do not
 * tell, as where git keeps its references in tables.
 */
bool worktree_branch(const char *directory, char *branch, size_t size);

#endif
