/*
 * The pool: which ports may be leased.
 *
 * By default every port that is unprivileged, not ephemeral (net.ipv4.ip_local_port_range), not reserved by
 * the administrator (net.ipv4.ip_local_reserved_ports) and not refused by browsers. Where fewer than
 * POOL_TOO_FEW are left, 1024-49151 with `fallback` set, which deserves a warning. The rules are those of
 * PySys' allocport. PORTSHIM_POOL=8000-8099,9000 replaces them, PORTSHIM_POOL_FILE names a file with a port
 * or range a line; PYSYS_PORTS and PYSYS_PORTS_FILE are read where neither is set.
 */
#ifndef PORTMAP_LEASE_POOL_H
#define PORTMAP_LEASE_POOL_H

#include "base/portbits.h"
#include "base/problem.h"

enum { POOL_TOO_FEW = 50 };

struct pool {
    struct portbits ports;
    unsigned count;
    bool fallback; /* too few were left, so ephemeral ports are among them */
};

/* The range that the kernel hands out to clients, ends included; IANA's when the sysctl cannot be read. */
struct ephemeral_range {
    unsigned first, last;
};
struct ephemeral_range pool_ephemeral_range(void);

/*
 * Fills *pool from the environment given (as environ), else from the kernel's settings. Returns 0,
 * PORTMAP_ESYNTAX when an entry is none, or a negated errno when the named file, or the kernel's list of
 * reserved ports, cannot be read, with *problem filled in. Keeps no memory.
 */
int pool_load(struct pool *pool, char *const *env, struct problem *problem);

/* Which variable of this environment the pool is from, or "default". */
const char *pool_source(char *const *env);

/* Fills *pool from a list such as PORTSHIM_POOL's; `where` says whose it is. 0 or PORTMAP_ESYNTAX as above.
 */
int pool_parse(struct pool *pool, const char *list, const char *where, struct problem *problem);

/* Takes one port out, if it is in. */
void pool_remove(struct pool *pool, unsigned port);

#endif
