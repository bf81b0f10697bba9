/*
 * Clearing up after dead runs.
 *
 * A dead run is marked as ended, so that nobody joins it any more. Each of its leases is given back once the
 * port probes free; after the last one its directory is removed.
 */
#ifndef PORTMAP_RUN_SWEEP_H
#define PORTMAP_RUN_SWEEP_H

#include "lease/home.h"
#include "lease/table.h"

#include <stdint.h>

struct sweep {
    unsigned freed;   /* leases given back */
    unsigned dying;   /* runs that may turn out to be dead after LIFE_GRACE */
    unsigned removed; /* runs whose directory was removed */
};

enum { SWEEP_SOME = 64, SWEEP_ALL = 1 << 30 };

/*
 * Looks at up to `most` runs, others each time, and clears up the dead ones. SWEEP_ALL also gives back leases
 * of runs whose directory somebody has removed. With LEASE_TIME_WAIT, gives back also ports that only
 * connections in TIME_WAIT keep taken. Returns what it did.
 */
struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most,
                        enum lease_effort effort);

/* Gives all leases of a run back and removes its directory: for a run that could not be made. */
void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id);

#endif
