/*
 * Opening the lease table, whatever state it is in.
 *
 * A table that is missing, torn or of an earlier boot is made anew from what is known without it: the maps of
 * the runs that may be alive say what those own, and the kernel says, at each probe, what is in use.
 */
#ifndef PORTMAP_RECOVER_H
#define PORTMAP_RECOVER_H

#include "lease.h"

/* As lease_open(), but makes the table where lease_open() finds no good one. Waits for the home's lock then.
 */
int recover_leases(struct lease_table *leases, const struct home *home);

/* The same for a caller that holds the home's lock. */
int recover_leases_locked(struct lease_table *leases, const struct home *home);

#endif
