/*
 * Which ports sockets have, by one look at all sockets of this network namespace. For a caller that probes
 * many ports: a probe opens and binds two sockets, and one look costs as much as OCCUPIED_WORTH probes.
 *
 * A look is a list of sockets (host/sockdiag.h), and is believed as far as the kernel shows that it is
 * complete: before Linux 6.8 it leaves out TCP sockets that are bound, but neither listen nor are connected.
 * So the first port is kept bound during the look. If the list has our socket of a protocol, no other port is
 * probed for that protocol; else each port is. Whether this process may bind a port at all, the list does not
 * tell: ports below the lowest one that was bound are probed, as they may be privileged, and so is one port
 * in OCCUPIED_SAMPLE. When the kernel forbids one of these, nothing is believed any more: a policy (Landlock,
 * SELinux, systemd's SocketBindDeny) decides about single ports.
 */
#ifndef PORTMAP_HOST_OCCUPIED_H
#define PORTMAP_HOST_OCCUPIED_H

#include "base/portbits.h"

enum { OCCUPIED_WORTH = 16, OCCUPIED_SAMPLE = 64 };

struct occupied {
    bool looked, forbidden;
    bool shows_tcp, shows_udp;
    unsigned lowest;   /* port that was probed, and may be bound */
    unsigned believed; /* how often a port was not probed */
    struct portbits ports;
};

/* As probe_port(), for many ports that are asked for within some milliseconds: a socket that was opened since
 * the look is not noticed. Begin with all zeroes; the look is taken when the first port is free. */
int occupied_probe(struct occupied *occupied, unsigned port);

#endif
