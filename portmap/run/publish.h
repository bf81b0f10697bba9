/*
 * Publishing a run's map: files for people and programs outside, and the variables its command is given.
 *
 * The format of a map file goes by its ending: .json is an object with run, pid and ports[]; .env has
 * KEY=VALUE lines; anything else "PLACEHOLDER REAL" lines. The latter two have a first line "# portshim RUN",
 * where RUN is the run's directory. A file is written under a temporary name beside its own and renamed: a
 * reader never sees half of it. It stays when the run is over. A file with anything in it that portshim has
 * not written is never replaced.
 */
#ifndef PORTMAP_RUN_PUBLISH_H
#define PORTMAP_RUN_PUBLISH_H

#include "run/map.h"

#include <limits.h>

/*
 * The path to give a run for a map file, in path[PATH_MAX]: absolute, and where the file is a symbolic link
 * that of what it leads to, which the link goes on leading to. 0, PORTMAP_EFOREIGN for a link of somebody
 * else's in a directory where all may make some, as /tmp, or a negated errno. Allocates nothing.
 */
int publish_path(const char *file, char path[static PATH_MAX]);

/*
 * Writes all map files that the run has (MAP_ABOUT_FILE): when it starts, over what other runs have left
 * there; later, only where no other run has published since. 0, or with *failed naming the file a negated
 * errno, PORTMAP_ENOTFILE, or PORTMAP_EOTHERS where something is in it that portshim has not written.
 */
enum publish_occasion { PUBLISH_FIRST, PUBLISH_AGAIN };
int publish_files(const struct map *map, const char *run_path, enum publish_occasion occasion,
                  const char **failed);

/* Removes the run's map files, as far as they are still the run's own. */
void publish_withdraw(const struct map *map, const char *run_path);

/* Called with NAME=VALUE, valid during the call; returns a code of error.h to stop with, or 0. */
typedef int publish_visit(const char *assignment, void *context);

/*
 * Visits what the command's environment gets for its first PORTSET_START placeholders
 * (PORTSHIM_PORT_8080=23456). Returns what the visitor returned.
 */
int publish_variables(const struct map *map, publish_visit *visit, void *context);

/*
 * The run directory that a map file names, whatever its format, in path[size]. 0, a negated errno,
 * PORTMAP_ENOTFILE, or PORTMAP_ESYNTAX when it is not a map file.
 */
int publish_read_run(const char *file, char *path, size_t size);

/* The n-th assigned placeholder of a map in ascending order of numbers, from `after` + 1 on; 0 at the end. */
unsigned publish_next(const struct map *map, unsigned after);

#endif
