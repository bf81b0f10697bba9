/*
 * Asking the kernel whether a port is free.
 *
 * A socket bound to [::]:port without IPV6_V6ONLY and without SO_REUSEADDR conflicts with every socket that
 * holds the port, IPv4 or IPv6, on any address: one bind for TCP and one for UDP see everything
 * (inet_csk_get_port, udp_lib_get_port). With either reuse option the kernel would let sockets share
 * silently, so the probe sets neither. Where IPv6 is absent, IPv4 is asked.
 */
#ifndef PORTMAP_PROBE_H
#define PORTMAP_PROBE_H

enum probe_answer { PROBE_FREE, PROBE_TAKEN, PROBE_FORBIDDEN };

/*
 * Probes a port (host byte order) of this network namespace. Returns PROBE_FREE, PROBE_TAKEN (the kernel
 * said EADDRINUSE to TCP or UDP), PROBE_FORBIDDEN (EACCES: privileged) or a negated errno when no socket
 * could be had. The answer is true at that moment only: hold a lease to keep other runs away. Keeps no
 * descriptor. Thread-safe.
 */
int probe_port(unsigned port);

#endif
