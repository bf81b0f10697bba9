/*
 * Clearing up after dead runs.
 *
 * A dead run is marked as ended, so that nobody joins any more, then its leases are given back as their ports
 * probe free, and when the last one is, its directory goes.
 */
#ifndef PORTMAP_RUN_SWEEP_H
#define PORTMAP_RUN_SWEEP_H

#include "lease/home.h"
#include "lease/table.h"

#include <stdint.h>

struct sweep {
    unsigned freed;   /* leases given back */
    unsigned dying;   /* runs that may be dead in LIFE_GRACE */
    unsigned removed; /* runs that are gone for good */
};

enum { SWEEP_SOME = 64, SWEEP_ALL = 1 << 30 };

/*
 * Looks at up to `most` runs, a different part of them each time, and clears up the dead ones; SWEEP_ALL also
 * gives back leases of runs whose directory somebody has removed. With LEASE_TIME_WAIT, ports that only
 * TIME_WAIT keeps taken are given back too. Returns what it did.
 */
struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most,
                        enum lease_effort effort);

/* Gives all leases of a run back and removes it: for a starter that could not finish. */
void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id);

#endif
