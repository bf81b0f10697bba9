/*
 * A phrase that says who holds the ports of the pool, for the message that the pool is exhausted.
 */
#ifndef PORTMAP_OBSERVE_HOLDERS_H
#define PORTMAP_OBSERVE_HOLDERS_H

#include "lease/home.h"
#include "lease/pool.h"

#include <stddef.h>

/*
 * Says why no port of the pool was left, in why[size], and returns what to do about it: "every port of
 * PORTSHIM_POOL is privileged", or "pool exhausted, held by: " and the phrase of holders_describe().
 */
const char *holders_explain(const struct home *home, const struct pool *pool, char *why, size_t size);

/*
 * Writes a phrase such as "48 ports of 50 by 24 runs (web pid 123, pid 124, pid 130 and 21 more), 2 by other
 * programs, 0 of them in TIME_WAIT". Where processes have leases, ", 3 by 1 process (pid 140)" comes before
 * ", 2 by other programs". At the end stands ", 9 are privileged" where that keeps this user from the others.
 * Probes every port of the pool that is not leased. Returns how many are privileged and free.
 */
unsigned holders_describe(const struct home *home, const struct pool *pool, char *buffer, size_t size);

/* Writes who has the port: "run web pid 123", "process pid 140", "another program" or "nobody". */
void holders_describe_port(const struct home *home, unsigned port, char *buffer, size_t size);

#endif
