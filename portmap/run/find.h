/*
 * Which run a person means by a word: its name, its directory, or a map file that names it.
 */
#ifndef PORTMAP_RUN_FIND_H
#define PORTMAP_RUN_FIND_H

#include "lease/home.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Resolves RUN to a run directory in path[PATH_MAX] and its id. A word without a slash is looked up among the
 * names first. 0; PORTMAP_ENORUN when nothing has that name (yet); PORTMAP_ESYNTAX when the file is not a map
 * file; PORTMAP_EFOREIGN when it names a run of another home or user; or a negated errno.
 */
int find_run(const struct home *home, const char *run, char path[static PATH_MAX], uint64_t *run_id);

/*
 * Whether a map file is another user's, or a link of another user's leads to it: it may name any run, so
 * nobody is to join by it. False for what is no regular file, or empty.
 */
bool find_is_anothers_file(const char *file);

#endif
