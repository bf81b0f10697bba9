/*
 * libportmap: asking for ports from C, as google/python_portpicker, PySys' allocport and CPython's
 * test.support.socket_helper do from Python.
 *
 * A port is leased to a process. portshim gives it to nobody else, in any process of this user, until that
 * process has ended or has given it back; with a port server (PORTSERVER_ADDRESS), to nobody else on the
 * whole host. A program that binds without asking can still take it: bind soon. If your code can take a bound
 * socket, let portmap_bind_port() bind port 0 instead, where nothing can go wrong.
 *
 * Ports are in host byte order. Every function is thread-safe and may be used in the child of fork(2); none
 * is async-signal-safe. None prints, changes a signal's disposition or keeps a descriptor open. A result
 * below 0 is an error: see portmap_strerror() and error.h.
 *
 * The variables PORTSHIM_HOME, PORTSHIM_POOL, PORTSHIM_POOL_FILE, PYSYS_PORTS and PYSYS_PORTS_FILE are read
 * at the first call, PORTSERVER_ADDRESS at each: see portshim(1).
 */
#ifndef PORTMAP_PORTMAP_H
#define PORTMAP_PORTMAP_H

#include "error.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Leases a port to process `pid` (0: this one) until that ends. The port is free for TCP and UDP, IPv4 and
 * IPv6, on every address. Ports given by portmap_reserve() come first, then those of the port server, then
 * those of the lease table, which also serves when the server fails. Returns the port, PORTMAP_EXHAUSTED when
 * none is free, -ESRCH when there is no such process, PORTMAP_ESYNTAX when a pool variable is bad (see
 * portmap_pool()), or another error. (portpicker: pick_unused_port)
 */
int portmap_pick(pid_t pid);

/*
 * Leases to this process a port that can be bound on each of `hosts`, an array that ends with NULL, of
 * numeric addresses, "localhost" or "" (every address); hosts NULL means every address. family is AF_INET,
 * AF_INET6 or AF_UNSPEC for both; type is SOCK_STREAM, SOCK_DGRAM or 0 for both. Returns the port or an error
 * as above; -EINVAL for any other family or type, PORTMAP_ESYNTAX for a host that is not an address of the
 * family, PORTMAP_ETOOMANY for more than 16 addresses, -EADDRNOTAVAIL for an address that is not this host's.
 * (PySys: TCPPortOwner)
 */
int portmap_lease(const char *const *hosts, int family, int type);

/* portmap_lease() on every address. (CPython: find_unused_port, which leases nothing) */
int portmap_find_unused(int family, int type);

/*
 * Gives back a port that this process has leased, for itself or for another. 0 or PORTMAP_ENOTOURS. A port
 * that came from portmap_reserve(), or from a server that takes no ports back, stays leased: the next
 * portmap_pick(0) gives it. (portpicker: return_port; PySys: cleanup)
 */
int portmap_release(unsigned port);

/*
 * Leases to this process a port that it got by other means, without probing it, and adds it to those that
 * portmap_pick(0) gives. 0; PORTMAP_EHELD when it is leased to another; -EINVAL when it is not a port; or
 * another error. (portpicker: add_reserved_port)
 */
int portmap_reserve(unsigned port);

/*
 * 1 when no socket in this network namespace is bound to the port, TCP or UDP, on any address; 0 when one is;
 * -EACCES when this user may not bind the port; -EINVAL when it is not a port; or another error. Leases are
 * not looked at. (portpicker: is_port_free)
 */
int portmap_is_free(unsigned port);

/*
 * Binds a socket of type SOCK_STREAM or SOCK_DGRAM to a port on every address, and closes it again. Returns
 * the port, -EADDRINUSE when it is taken, or an error as above. Port 0 lets the kernel choose: that port is
 * in the ephemeral range and leased to nobody. (portpicker: bind)
 */
int portmap_bind(unsigned port, int type);

/*
 * Binds the caller's socket to a port that the kernel chooses on `host` (as in portmap_lease(); NULL: the
 * loopback address). Returns the port. PORTMAP_EREUSE when a stream socket has SO_REUSEADDR or SO_REUSEPORT
 * set: two servers could share the port. (CPython: bind_port)
 */
int portmap_bind_port(int fd, const char *host);

/*
 * Writes up to `size` ports of the pool, ascending, to ports[] and returns how many the pool has.
 * PORTMAP_ESYNTAX or a negated errno when a variable or file is bad; `problem`, unless NULL, then says where,
 * in one line of at most problem_size - 1 bytes. (PySys: getServerTCPPorts)
 */
int portmap_pool(unsigned short *ports, unsigned size, char *problem, unsigned problem_size);

/* The range that the kernel takes clients' ports from, ends included; IANA's when it cannot be read. Always
 * 0. (PySys: getEphemeralTCPPortRange) */
int portmap_ephemeral_range(unsigned *first, unsigned *last);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
