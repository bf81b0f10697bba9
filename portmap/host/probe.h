/*
 * Asking the kernel whether a port is free, by binding it.
 *
 * A socket bound to [::]:port without IPV6_V6ONLY and without SO_REUSEADDR conflicts with every socket that
 * holds the port, IPv4 or IPv6, on any address: one bind for TCP and one for UDP find them all
 * (inet_csk_get_port, udp_lib_get_port). The probe sets neither SO_REUSEADDR nor SO_REUSEPORT: with them, the
 * kernel could let two sockets share the port. Where the host has no IPv6, the probe binds 0.0.0.0.
 */
#ifndef PORTMAP_HOST_PROBE_H
#define PORTMAP_HOST_PROBE_H

#include <netinet/in.h>
#include <stdbool.h>

enum probe_answer { PROBE_FREE, PROBE_TAKEN, PROBE_FORBIDDEN };

/* Which part of a port a probe is about: families, protocols and addresses. */
struct probe_scope {
    int family;          /* AF_UNSPEC: both */
    bool no_tcp, no_udp; /* leaves a protocol out; not both */
    unsigned host_count; /* 0: every address */
    union probe_address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } hosts[16];
};

/*
 * Probes a port (host byte order) of this network namespace. Returns PROBE_FREE, PROBE_TAKEN (the kernel said
 * EADDRINUSE for TCP or UDP), PROBE_FORBIDDEN (EACCES: the port is privileged) or the negated errno of a call
 * that failed otherwise. The answer is true at that moment only: a lease is what keeps other runs away.
 * Leaves no socket open. Thread-safe.
 */
int probe_port(unsigned port);

/* The same for a part of the port; scope NULL: all of it. -EADDRNOTAVAIL: an address is not this host's. */
int probe_port_in(unsigned port, const struct probe_scope *scope);

/* Sockets that keep a port bound. */
struct probe_held {
    int fds[34]; /* a TCP and a UDP socket for each host */
    unsigned count;
    bool exclusive; /* set by the caller: bind without SO_REUSEADDR */
};

/*
 * Binds the port as the probe does, and keeps the sockets (close-on-exec). Unless held->exclusive is set they
 * have SO_REUSEADDR and, as they do not listen, do not keep out others that have it. Returns as
 * probe_port_in(); no socket is kept unless that is PROBE_FREE.
 */
int probe_hold(unsigned port, const struct probe_scope *scope, struct probe_held *held);

/* Lets the kernel choose a port that is free for TCP and UDP on every address, and keeps it bound,
 * exclusively. Returns the port, -EADDRINUSE when the kernel found none, or another negated errno. */
int probe_choose(struct probe_held *held);

/* Closes the sockets that are kept. */
void probe_let_go(struct probe_held *held);

/*
 * Adds an address to the scope, whose family must be set. `host` is a numeric address, "localhost", or "" for
 * every address, as in PySys' allocport. 0, PORTMAP_ESYNTAX when it is none of these or not of the scope's
 * family, PORTMAP_ETOOMANY when the scope is full.
 */
int probe_add_host(struct probe_scope *scope, const char *host);

#endif
