/*
 * The pool: which ports may be leased.
 *
 * By default every port that is unprivileged, not ephemeral (net.ipv4.ip_local_port_range), not reserved by
 * the administrator (net.ipv4.ip_local_reserved_ports) and not refused by browsers. Where fewer than
 * POOL_TOO_FEW are left, 1024-49151 with `fallback` set, which deserves a warning. The rules are those of
 * PySys' allocport. PORTSHIM_POOL=8000-8099,9000 replaces them, PORTSHIM_POOL_FILE names a file with a port
 * or range a line; PYSYS_PORTS and PYSYS_PORTS_FILE are read where neither is set.
 */
#ifndef PORTMAP_POOL_H
#define PORTMAP_POOL_H

#include "portbits.h"

#include <limits.h>
#include <stddef.h>

enum { POOL_TOO_FEW = 50 };

struct pool {
    struct portbits ports;
    unsigned count;
    bool fallback; /* too few were left, so ephemeral ports are among them */
};

/* Where an entry is bad: the variable or file, the line (0 for a variable) and the entry, of which a long one
 * ends in "...". */
struct pool_problem {
    char where[PATH_MAX];
    unsigned line;
    char token[64];
};

/* The range that the kernel hands out to clients, ends included; IANA's when the sysctl cannot be read. */
struct ephemeral_range {
    unsigned first, last;
};
struct ephemeral_range pool_ephemeral_range(void);

/*
 * Fills *pool from the environment given (as environ), else from the kernel's settings. Returns 0,
 * PORTMAP_ESYNTAX with *problem filled in, or a negated errno when the named file, or the kernel's list of
 * reserved ports, cannot be read (problem->where names it). Keeps no memory.
 */
int pool_load(struct pool *pool, char *const *env, struct pool_problem *problem);

/* Which variable of this environment the pool is from, or "default". */
const char *pool_source(char *const *env);

/* What pool_load() failed of, as one line: the variable or file and, where an entry is bad, its line and it.
 */
void pool_describe(const struct pool_problem *problem, int error, char *buffer, size_t size);

/* Fills *pool from a list such as PORTSHIM_POOL's; `where` says whose it is. 0 or PORTMAP_ESYNTAX as above.
 */
int pool_parse(struct pool *pool, const char *list, const char *where, struct pool_problem *problem);

/* Takes one port out, if it is in. */
void pool_remove(struct pool *pool, unsigned port);

#endif
