/*
 * Names of runs: symbolic links HOME/names/NAME that lead to the run's id.
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

/* The name that a user gave the run; NULL when none did. A run that was started by hand also has a name for
 * the library alone, which begins with "@". Of several names, the last is the one that it has got. */
const char *name_given(const struct map *map);

/* The id of the run that has a name, dead or alive; 0 when none has it. */
uint64_t name_find(const struct home *home, const char *name);

/* Gives a run a name. 0; PORTMAP_ENAME when a living run has it (a dead one loses it); PORTMAP_ELOCKED when
 * another process keeps the names locked for LOCK_PATIENT (base/lock.h); or a negated errno. The first of
 * several at once gets it. */
int name_claim(const struct home *home, const char *name, uint64_t run_id);

/* Whether no living run has it, at the moment. */
bool name_is_free(const struct home *home, const char *name);

/* The name for the `number`-th run that wants the same one: "web", "web-2", "web-3"... A long name is cut
 * before the number. */
void name_numbered(char numbered[static NAME_MAX_LENGTH + 1], const char *name, unsigned number);

/* Removes the name if this run has it. */
void name_forget(const struct home *home, const char *name, uint64_t run_id);

/* The same for all names that lead to a run. */
void name_forget_run(const struct home *home, uint64_t run_id);

/* The same for all names that the texts of a map say the run has. */
void name_forget_all(const struct home *home, const struct map *map);

#endif
