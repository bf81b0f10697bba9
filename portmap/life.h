/*
 * Whether a run is alive, and what is done when it is not.
 *
 * A run is alive while any process has its map mapped (and so holds its lock), or the process that started it
 * lives. Exec drops a mapping and the new program takes it again a moment later, so a run counts as dead only
 * when it was found without any process twice, LIFE_GRACE apart. A starter in another pid namespace is
 * not judged by its pid. Which boot the run is of is not asked: containers may have boot ids of their own,
 * and the locks and processes of an earlier boot are gone.
 *
 * A dead run is marked as ended, so that nobody joins any more, then its leases are given back as their ports
 * probe free, and when the last one is, its directory goes.
 */
#ifndef PORTMAP_LIFE_H
#define PORTMAP_LIFE_H

#include "home.h"
#include "lease.h"

#include <stdint.h>

#define LIFE_GRACE UINT64_C(2000000000) /* nanoseconds */

enum run_state {
    RUN_ALIVE, /* also when it cannot be looked at: only what is known to be dead is cleared up */
    RUN_DYING, /* no process, but not long enough to be sure */
    RUN_DEAD,
    RUN_GONE, /* there is no such run directory */
};

/* The state of a run of this home. A dying run's clock starts with the first call. */
enum run_state life_of(const struct home *home, uint64_t run_id);

/* The same, when a dying run has been waited for: never RUN_DYING. */
enum run_state life_settled(const struct home *home, uint64_t run_id);

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
