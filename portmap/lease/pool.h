/*
 * The pool: which ports may be leased.
 *
 * By default these are all ports that are unprivileged, not ephemeral (net.ipv4.ip_local_port_range), not
 * reserved by the administrator (net.ipv4.ip_local_reserved_ports) and not refused by browsers. If fewer than
 * POOL_TOO_FEW are left, 1024-49151 are added and `fallback` is set, about which users should be warned.
 * These are the rules of PySys' allocport. PORTSHIM_POOL=8000-8099,9000 replaces them; PORTSHIM_POOL_FILE
 * names a file with a port or range a line; PYSYS_PORTS and PYSYS_PORTS_FILE are read when neither is set.
 */
#ifndef PORTMAP_LEASE_POOL_H
#define PORTMAP_LEASE_POOL_H

#include "base/portbits.h"
#include "base/problem.h"

enum { POOL_TOO_FEW = 50 };

/* The range that the kernel takes clients' ports from, ends included; IANA's when it cannot be read. */
struct ephemeral_range {
    unsigned first, last;
};
struct ephemeral_range pool_ephemeral_range(void);

/* The first port that every user may bind (net.ipv4.ip_unprivileged_port_start); 1024 if that is unknown. */
unsigned pool_first_unprivileged(void);

struct pool {
    struct portbits ports;
    unsigned count;
    bool fallback;  /* too few were left: ephemeral ports may be among them */
    bool is_unread; /* the kernel's settings decide, and have not been read: see pool_settle() */
    int error;      /* why they cannot be; 0 */
    /* For pool_settle(): the range, if it has been read already; last is 0 if not. */
    struct ephemeral_range ephemeral;
};

/*
 * Fills *pool from the variables in env (as environ), or from the kernel's settings when none is set. 0;
 * PORTMAP_ESYNTAX when an entry is not a port or range; or a negated errno when a file that a variable names,
 * or the kernel's list of reserved ports, cannot be read. *problem is filled in on errors. Keeps no memory.
 */
int pool_load(struct pool *pool, char *const *env, struct problem *problem);

/* The same, but the kernel's settings are read by pool_settle(), when a port of the pool is needed. */
int pool_choose(struct pool *pool, char *const *env, struct problem *problem);

/* Reads the kernel's settings, unless that has been done. 0 or pool->error, which pool_explain() puts into
 * words. */
int pool_settle(struct pool *pool);
void pool_explain(const struct pool *pool, struct problem *problem);

/* The name of the variable that decides the pool in this environment, or "default". */
const char *pool_source(char *const *env);

/* Fills *pool from a list such as PORTSHIM_POOL's; `where` names it in messages. 0 or PORTMAP_ESYNTAX. */
int pool_parse(struct pool *pool, const char *list, const char *where, struct problem *problem);

#endif
