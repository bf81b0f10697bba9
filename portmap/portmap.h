/*
 * libportmap: asking for ports from C, as google/python_portpicker, PySys' allocport and CPython's
 * test.support.socket_helper do from Python.
 *
 * A port is leased to a process. Nobody who asks portshim, in any process of this user, is given it again
 * until that process has ended or has given it back; whoever asks the port server that PORTSERVER_ADDRESS
 * names is kept away as well, on the whole host. Strangers who bind without asking are not: bind soon, and
 * if your code can take a bound socket, bind port 0 instead (portmap_bind_port()), where nothing can go
 * wrong.
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
 * Leases a port that is free for TCP and UDP, IPv4 and IPv6, on every address, to process `pid` (0: this one)
 * until that ends. Ports given by portmap_reserve() come first, then what the port server gives, then the
 * lease table; a server that fails is passed over. Returns the port, PORTMAP_EXHAUSTED when none is free,
 * -ESRCH when there is no such process, PORTMAP_ESYNTAX when a pool variable is bad (see portmap_pool()), or
 * another error. (portpicker: pick_unused_port)
 */
int portmap_pick(pid_t pid);

/*
 * The same for this process, where less is enough: a port that can be bound on each of `hosts`, an array that
 * ends with NULL, of numeric addresses, "localhost" or "" (every address); hosts NULL means every address.
 * family is AF_INET, AF_INET6 or AF_UNSPEC for both; type is SOCK_STREAM, SOCK_DGRAM or 0 for both. -EINVAL
 * for any other, PORTMAP_ESYNTAX for a host that is none of that family, PORTMAP_ETOOMANY for more than 16
 * addresses, -EADDRNOTAVAIL for one that is not this host's. (PySys: TCPPortOwner)
 */
int portmap_lease(const char *const *hosts, int family, int type);

/* The same on every address: portmap_lease(NULL, family, type). (CPython: find_unused_port, which leases
 * nothing) */
int portmap_find_unused(int family, int type);

/*
 * Gives back a port that this process has leased, for itself or for another. 0, PORTMAP_ENOTOURS, or an
 * error of opening the table. A port
 * that was given by portmap_reserve(), or by a server that takes nothing back, is this process's for its next
 * portmap_pick(). (portpicker: return_port; PySys: cleanup)
 */
int portmap_release(unsigned port);

/*
 * Adds a port that was got by other means to those that portmap_pick(0) of this process gives, and leases it
 * to this process; it is not probed. 0; PORTMAP_EHELD when it is leased to another; -EINVAL when it is no
 * port. (portpicker: add_reserved_port)
 */
int portmap_reserve(unsigned port);

/*
 * 1 when nothing in this network namespace has the port bound, TCP or UDP, on any address; 0 when something
 * has; or an error: -EACCES for one that this user may not bind, -EINVAL for no port. A lease is no socket.
 * (portpicker: is_port_free)
 */
int portmap_is_free(unsigned port);

/*
 * Binds a port, of SOCK_STREAM or SOCK_DGRAM, on every address and closes it again: returns the port,
 * -EADDRINUSE when it is taken, or an error as above. Port 0 asks the kernel for one; then the port is in the
 * ephemeral range and leased to nobody. (portpicker: bind)
 */
int portmap_bind(unsigned port, int type);

/*
 * Binds a socket of the caller's to a port of the kernel's choice on `host`, written as above; NULL means the
 * loopback address. Returns the port. PORTMAP_EREUSE when a stream socket has SO_REUSEADDR or SO_REUSEPORT
 * set: two servers would share the port. (CPython: bind_port)
 */
int portmap_bind_port(int fd, const char *host);

/*
 * The pool: writes up to `size` of its ports, ascending, and returns how many there are. PORTMAP_ESYNTAX or a
 * negated errno when a variable or file is bad; `problem`, unless NULL, then says where, as one line of
 * at most problem_size - 1 bytes. (PySys: getServerTCPPorts)
 */
int portmap_pool(unsigned short *ports, unsigned size, char *problem, unsigned problem_size);

/* The range that the kernel takes clients' ports from, ends included; IANA's where the kernel does not say.
 * Always 0. (PySys: getEphemeralTCPPortRange) */
int portmap_ephemeral_range(unsigned *first, unsigned *last);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
