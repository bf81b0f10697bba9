/*
 * Opening the lease table, whatever state it is in, and what becomes of claims when it is replaced.
 *
 * A table that is missing or torn is made anew. The maps of the runs that may be alive say which ports they
 * own, and the kernel says, when a port is probed, whether it is in use. What a process has claimed in the
 * old table counts for nothing: leases_settle() finds that out.
 */
#ifndef PORTMAP_RUN_LEASES_H
#define PORTMAP_RUN_LEASES_H

#include "lease/table.h"
#include "run/map.h"

/* If claims are lost this often, something else is wrong than a table that was replaced. */
enum { LEASES_TRIES = 5 };

/* As lease_open_existing(), but makes a table if it is missing or torn, under a lock of the home's
 * directory: PORTMAP_ELOCKED when another process has that for LOCK_PATIENT (base/lock.h). */
int leases_open(struct lease_table *leases, const struct home *home);

/* Claims that somebody has made in a table. */
struct claims {
    /* Enters them in the table that replaced it; false when some are lost, as others were quicker. */
    bool (*enter)(struct lease_table *fresh, void *context);
    void *context;
    bool shared; /* other threads may be using the old table: it stays mapped */
};

/*
 * Decides whether claims stand; nothing else does. To be called after the claims are made and, if they belong
 * in a run's map, after they are entered there: whoever makes another table from then on finds them in the
 * map. They stand if the table is still the home's. If not, this opens the home's table in its place, enters
 * the claims there, and checks again. 0 when they stand; PORTMAP_ETORN when claims are lost, and *leases is
 * the new table; or an error of opening a table, and *leases is the old one.
 */
int leases_settle(struct lease_table *leases, const struct home *home, const struct claims *claims);

/* Tries again what was lost with a table that has been replaced: calls try until its result is not
 * PORTMAP_ETORN, LEASES_TRIES times at most. Returns the last result. */
int leases_retry(int (*try)(void *context), void *context);

/* Enters one claim in a new table; false when another owns the port. */
bool leases_enter(struct lease_table *leases, unsigned port, lease_owner owner);

/* Enters all claims that a run has by its map; false when another owns one of the ports. */
bool leases_enter_run(struct lease_table *leases, const struct map *map);

#endif
