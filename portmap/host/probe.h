/*
 * Asking the kernel whether a port is free.
 *
 * A socket bound to [::]:port without IPV6_V6ONLY and without SO_REUSEADDR conflicts with every socket that
 * holds the port, IPv4 or IPv6, on any address: one bind for TCP and one for UDP see everything
 * (inet_csk_get_port, udp_lib_get_port). With either reuse option the kernel would let sockets share
 * silently, so the probe sets neither. Where IPv6 is absent, IPv4 is asked.
 */
#ifndef PORTMAP_HOST_PROBE_H
#define PORTMAP_HOST_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>

enum probe_answer { PROBE_FREE, PROBE_TAKEN, PROBE_FORBIDDEN };

/* What of a port is asked about, where all of it would be too much. */
struct probe_scope {
    int family;          /* AF_UNSPEC: both */
    bool no_tcp, no_udp; /* not both */
    unsigned host_count; /* 0: every address */
    union probe_address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } hosts[16];
};

/*
 * Probes a port (host byte order) of this network namespace. Returns PROBE_FREE, PROBE_TAKEN (the kernel
 * said EADDRINUSE to TCP or UDP), PROBE_FORBIDDEN (EACCES: privileged) or a negated errno when no socket
 * could be had. The answer is true at that moment only: hold a lease to keep other runs away. Keeps no
 * descriptor. Thread-safe.
 */
int probe_port(unsigned port);

/* The same for a part of the port; scope NULL means all of it. -EADDRNOTAVAIL: a host is not this one's. */
int probe_port_in(unsigned port, const struct probe_scope *scope);

/* Sockets that keep a port bound. */
struct probe_held {
    int fds[34]; /* a TCP and a UDP socket for each host */
    unsigned count;
    bool exclusive; /* to be set before: without SO_REUSEADDR */
};

/*
 * Binds the port as the probe does, and keeps the sockets. Unless they are exclusive, whoever sets
 * SO_REUSEADDR can bind it beside them: nothing listens. Returns as probe_port_in(); no socket is kept then
 * unless the port was free. The sockets are close-on-exec.
 */
int probe_hold(unsigned port, const struct probe_scope *scope, struct probe_held *held);

/*
 * Binds a port of the kernel's choice as the probe does, and keeps the sockets: it is nobody else's on any
 * address, for TCP and UDP. Returns the port, -EADDRINUSE when the kernel has none, or a negated errno.
 */
int probe_choose(struct probe_held *held);

/* Closes what is kept. */
void probe_let_go(struct probe_held *held);

/*
 * Adds a host to the scope, whose family is set before: a numeric address, "localhost", or "" for every
 * address, as PySys' allocport has them. 0, PORTMAP_ESYNTAX when it is none of these or of the other family,
 * PORTMAP_ETOOMANY.
 */
int probe_add_host(struct probe_scope *scope, const char *host);

#endif
