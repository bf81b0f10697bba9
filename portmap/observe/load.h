/*
 * Libraries that a program of a run loaded so that their calls could pass ours by, in words for people.
 */
#ifndef PORTMAP_OBSERVE_LOAD_H
#define PORTMAP_OBSERVE_LOAD_H

#include "run/sighting.h"

#include <stdbool.h>

struct load {
    const char *by, *why, *remedy;
    bool wrapped;
};

/* NULL for a sighting of another kind. */
const struct load *load_of(enum sighting_kind kind);

#endif
