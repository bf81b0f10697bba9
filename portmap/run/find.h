/*
 * Which run a person means by a word: its name, its id, its directory, or a map file that names it.
 */
#ifndef PORTMAP_RUN_FIND_H
#define PORTMAP_RUN_FIND_H

#include "lease/home.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Finds the run that a word means: its directory in path[PATH_MAX], and its id. A word that can be a name is
 * looked up among the names first. 0; PORTMAP_ENORUN when nothing has that name (yet); PORTMAP_ESYNTAX when
 * the file is not a map file; PORTMAP_EFOREIGN when it names a run of another home or user; or a negated
 * errno.
 */
int find_run(const struct home *home, const char *run, char path[static PATH_MAX], uint64_t *run_id);

/* Whether a map file belongs to another user, or a link of another user leads to it. Nobody should join a run
 * by it: it may name any run. False for a file that is empty or not regular. */
bool find_is_anothers_file(const char *file);

#endif
