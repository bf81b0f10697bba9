/*
 * Whether processes hold ports of this network namespace.
 *
 * A port that cannot be bound need not be held by anybody: the kernel keeps it for connections in TIME_WAIT,
 * and for those that a process has left with data to be sent. These are nobody's.
 */
#ifndef PORTMAP_HOST_HELD_H
#define PORTMAP_HOST_HELD_H

#include "base/portbits.h"

#include <stdbool.h>

/* Whether a process has a socket with this port; true also when that cannot be known. */
bool held_port(unsigned port);

/* What one look at all sockets has shown, for questions about many ports. Begin with all bytes zero. */
struct held {
    enum { HELD_NOT_LOOKED, HELD_LOOKED, HELD_UNKNOWN } state;
    unsigned asked; /* about so many ports by themselves */
    struct portbits ports;
};

/* Whether a process has a socket with one of the `count` ports. Asks about each, or looks at all sockets as
 * soon as that costs less, and keeps what it has seen in `held`. */
bool held_any(const struct portbits *ports, unsigned count, struct held *held);

#endif
