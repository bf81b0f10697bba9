/*
 * Run directories: HOME/runs/ID, where ID is the run's id in hexadecimal.
 */
#ifndef PORTMAP_RUN_RUNDIR_H
#define PORTMAP_RUN_RUNDIR_H

#include "lease/home.h"

#include <stdbool.h>
#include <stdint.h>

enum { RUNDIR_NAME_SIZE = 20 }; /* "runs/", 14 digits, terminator */

/* The name of a run's directory below the home. */
void rundir_name(char name[static RUNDIR_NAME_SIZE], uint64_t run_id);

/* The absolute path of that directory, in path[PATH_MAX]: 0, or -ENAMETOOLONG. */
int rundir_path(const struct home *home, uint64_t run_id, char path[static PATH_MAX]);

/* Reads a run's id from its directory's own name: 14 hexadecimal digits. False when it is not one. */
bool rundir_id(const char *digits, uint64_t *run_id);

/* Calls visit for the id of every run directory, in no order, until it returns false. 0 or a negated errno.
 * Allocates nothing. */
int rundir_each(const struct home *home, bool (*visit)(uint64_t run_id, void *context), void *context);

/* Makes an empty directory for a new run, with a random id. 0 or a negated errno. */
int rundir_create(const struct home *home, uint64_t *run_id);

/* Removes a run's directory and the files that portshim makes in it. */
void rundir_remove(const struct home *home, uint64_t run_id);

#endif
