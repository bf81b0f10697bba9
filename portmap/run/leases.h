/*
 * Opening the lease table, whatever state it is in, and what becomes of claims when it is replaced.
 *
 * A table that is missing or torn is made anew from what is known without it: the maps of
 * the runs that may be alive say what those own, and the kernel says, at each probe, what is in use. What a
 * process claims in the old table meanwhile is nobody's: leases_settle() tells.
 */
#ifndef PORTMAP_RUN_LEASES_H
#define PORTMAP_RUN_LEASES_H

#include "lease/table.h"
#include "run/map.h"

/* Who has to claim so often in vain has another problem than a table that was replaced. */
enum { LEASES_TRIES = 5 };

/* As lease_open_existing(), but makes the table where there is no good one, under a lock of the home's
 * directory. */
int leases_open(struct lease_table *leases, const struct home *home);

/* What somebody has claimed in a table. */
struct claims {
    /* Enters it in the table that came after; false when some of it is lost, as others were quicker. */
    bool (*enter)(struct lease_table *fresh, void *context);
    void *context;
    bool shared; /* others may be at work in the old table: it stays mapped */
};

/*
 * Decides whether claims stand; nothing else does. To be asked after they were made and, where a run's map is
 * to have them, after it has: whoever makes another table from then on finds them there. They stand in a
 * table that is still the home's. Where it is not, the home's is opened in its place, the claims are entered
 * there, and the question is asked again. 0; PORTMAP_ETORN when claims are lost, *leases being the new table;
 * or an error of opening one, *leases being the old.
 */
int leases_settle(struct lease_table *leases, const struct home *home, const struct claims *claims);

/*
 * Claims again what was lost with a table that has been replaced: calls try until its result is another than
 * PORTMAP_ETORN, LEASES_TRIES times at most, and returns that.
 */
int leases_retry(int (*try)(void *context), void *context);

/* Enters one claim in a table that came after; false when the port is another's. */
bool leases_enter(struct lease_table *leases, unsigned port, lease_owner owner);

/* Enters in a table what a run owns by its map; false when some of it is another's. */
bool leases_enter_run(struct lease_table *leases, const struct map *map);

#endif
