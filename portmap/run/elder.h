/*
 * Runs of version 0.1, whose one file was the map. A home may have some when this version is installed,
 * living ones among them.
 */
#ifndef PORTMAP_RUN_ELDER_H
#define PORTMAP_RUN_ELDER_H

#include "run/life.h"

/* Looks into a run's directory. False when it is not one of version 0.1. Decides as that version does, beside
 * its commands: a dead one is marked as ended, so that nobody joins it any more, and one that is being made
 * counts as alive. */
bool elder_look(int run_dir, uint64_t run_id, enum run_state *state);

/* Whether a run is of that version: then this one's processes cannot join it, nor its commands read it. */
bool elder_is(const struct home *home, uint64_t run_id);

#endif
