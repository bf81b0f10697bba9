/*
 * Who holds the ports of the pool, leased or not, in a phrase: for the message that it is exhausted.
 */
#ifndef PORTMAP_OBSERVE_HOLDERS_H
#define PORTMAP_OBSERVE_HOLDERS_H

#include "lease/home.h"
#include "lease/pool.h"

#include <stddef.h>

/*
 * Writes one phrase such as "48 ports of 50 by 24 runs (web pid 123, pid 124, pid 130 and 21 more), 2 by
 * other programs, 0 of them in TIME_WAIT"; ", 3 by 1 process (pid 140)" comes before the other programs
 * where processes have leases. Probes the pool's ports.
 */
void holders_describe(const struct home *home, const struct pool *pool, char *buffer, size_t size);

/* Who has one port, as "run web pid 123", "process pid 140", "another program" or "nobody". */
void holders_describe_port(const struct home *home, unsigned port, char *buffer, size_t size);

#endif
