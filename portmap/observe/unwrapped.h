/*
 * Why a program of a run was not wrapped, in words for people.
 */
#ifndef PORTMAP_OBSERVE_UNWRAPPED_H
#define PORTMAP_OBSERVE_UNWRAPPED_H

#include "run/map.h"

#include <stdbool.h>

struct unwrapped {
    char reason[160];
    const char *remedy;
    bool in_part; /* some of its calls were */
};

/* Of a program that sighting_unhookable() has told of. */
struct unwrapped unwrapped_of(const struct map_program *program);

#endif
