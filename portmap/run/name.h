/*
 * Names of runs: symbolic links in HOME/names, NAME -> ID.
 */
#ifndef PORTMAP_RUN_NAME_H
#define PORTMAP_RUN_NAME_H

#include "lease/home.h"
#include "run/map.h"

#include <stdbool.h>
#include <stdint.h>

enum { NAME_MAX_LENGTH = 64 };

/* A name is 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit. */
bool name_is_valid(const char *name);

/* The name that somebody gave a run, NULL when nobody did: a run that was started by hand has one of its own,
 * which begins with "@" and is for the library alone. */
const char *name_given(const struct map *map);

/* The run that a name stands for, dead or alive; 0 when there is none. */
uint64_t name_find(const struct home *home, const char *name);

/*
 * Gives a run its name. 0; PORTMAP_ENAME when a living run has it (a dead one loses it); or a negated errno.
 * Whoever is first among several at once gets it.
 */
int name_claim(const struct home *home, const char *name, uint64_t run_id);

/* Removes the name if it stands for this run. */
void name_forget(const struct home *home, const char *name, uint64_t run_id);

/* The same for every name that the map knows its run to have. */
void name_forget_all(const struct home *home, const struct map *map);

#endif
