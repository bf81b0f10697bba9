/*
 * What the map of a run with a key says about the ports that the key wanted, for people.
 */
#ifndef PORTMAP_RUN_KEYED_H
#define PORTMAP_RUN_KEYED_H

#include "run/map.h"

enum keyed {
    KEYED_NOT, /* the key does not decide: there is none, or the port was given, is late or the outer run's */
    KEYED_GOT, /* the placeholder has the port that the key wanted */
    KEYED_MISSED, /* another one */
};

enum keyed keyed_is(const struct map *map, unsigned placeholder);

/* The port that the key wanted for such a placeholder; 0: the run's log does not say so (any more). */
unsigned keyed_wanted(const struct map *map, unsigned placeholder);

#endif
