/*
 * Publishing a run's assignments: map files for people and programs outside, and variables for its command.
 *
 * The format of a map file goes by its ending: .json is an object with run, pid and ports[]; .env has
 * KEY=VALUE lines; anything else has "PLACEHOLDER REAL" lines. The latter two begin with a line "# portshim
 * RUN", where RUN is the run's directory. A file is written under a temporary name beside its own and then
 * renamed, so that nobody reads half of it. It stays when the run is over. A file with anything in it that
 * portshim has not written is never replaced.
 */
#ifndef PORTMAP_RUN_PUBLISH_H
#define PORTMAP_RUN_PUBLISH_H

#include "run/map.h"

#include <limits.h>

/*
 * The path by which a run keeps a map file, in path[PATH_MAX]: absolute, with symbolic links followed, so
 * that the links stay. 0; PORTMAP_EFOREIGN for another user's link in a directory where all may make links,
 * such as /tmp; or a negated errno. Allocates nothing.
 */
int publish_path(const char *file, char path[static PATH_MAX]);

/*
 * Writes all map files of the run (TEXT_FILE), and puts them into their places in their order. PUBLISH_FIRST,
 * when the run starts, replaces what other runs have left; PUBLISH_AGAIN, later, leaves files alone that do
 * not name this run any more. 0; or, with *failed naming the file, PORTMAP_ENOTFILE, PORTMAP_EOTHERS when
 * something is in it that portshim has not written, or a negated errno.
 */
enum publish_occasion { PUBLISH_FIRST, PUBLISH_AGAIN };
int publish_files(const struct map *map, const char *run_path, enum publish_occasion occasion,
                  const char **failed);

/* Removes what killed processes have left of drafts of the run's map files. */
void publish_clear(const struct map *map);

/* Sets the time of last access of those map files that name the run: see run/young.h. */
void publish_keep_young(const struct map *map, const char *run_path);

/* Removes those of the run's map files that still name the run. */
void publish_withdraw(const struct map *map, const char *run_path);

/* Called with NAME=VALUE, valid during the call. Returns 0 to go on, or a code of error.h. */
typedef int publish_visit(const char *assignment, void *context);

/* A command gets variables for this many placeholders: a thousand of them made each exec a third dearer. */
enum { PUBLISH_VARIABLES = 100 };

/* Visits variables (PORTSHIM_PORT_8080=23456), for the first `most` placeholders that are assigned. 0, or the
 * code that the visitor returned. */
int publish_variables(const struct map *map, unsigned most, publish_visit *visit, void *context);

/* Finds the run directory that a map file names, in any format: path[size]. 0; PORTMAP_ENOTFILE;
 * PORTMAP_ESYNTAX when it is not a map file; or a negated errno. */
int publish_read_run(const char *file, char *path, size_t size);

/* Fills in which placeholders are assigned now: those that files and variables have. */
void publish_assigned(const struct map *map, struct portbits *assigned);

#endif
