/*
 * The supervisors of a run's trapped programs (shim/trap), as far as somebody has to know that one was
 * killed: from then on, all calls about ports fail in the programs that it served.
 *
 * The kernel itself notes that, as it notes the owner of a robust mutex who dies (set_robust_list(2)): each
 * supervisor has a word in the notes of the map, with its thread id.
 */
#ifndef PORTMAP_RUN_SUPERVISORS_H
#define PORTMAP_RUN_SUPERVISORS_H

#include "run/map.h"

/* Enters this thread as a supervisor. At most as many are entered at a time as there are words: of others,
 * nothing is known. `map` may be NULL, or without notes. */
void supervisors_enter(struct map *map);

/* Takes it out again: before this process ends as it should. */
void supervisors_leave(void);

/* How many have been killed. */
unsigned supervisors_killed(const struct map *map);

#endif
