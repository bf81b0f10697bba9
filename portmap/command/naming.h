/*
 * Names of runs as files of settings write them: %d and %b stand for words that differ from one worktree to
 * the next.
 */
#ifndef PORTMAP_COMMAND_NAMING_H
#define PORTMAP_COMMAND_NAMING_H

#include "run/name.h"

/*
 * Writes the name that a pattern means in a file that lies in `directory`: %d is the directory's own name, %b
 * the branch of the worktree that it is in (worktree_branch()), "nobranch" where that cannot be told. What no
 * name can have becomes a dash in these two; characters that a name cannot begin with are left out at the
 * beginning, and the end is cut: the result may be empty. False when another character follows a %.
 */
bool naming_expand(const char *pattern, const char *directory, char name[static NAME_MAX_LENGTH + 1]);

#endif
