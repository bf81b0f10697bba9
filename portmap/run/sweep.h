/*
 * Clearing up after dead runs.
 *
 * The leases of a dead run are given back, its names are forgotten, that it has ended is recorded
 * (run/ended.h), and its directory is removed, or taken over by a run that is just being made. Every command
 * looks at some other runs; where the last one has stopped is noted in the lease table, so that each is
 * reached in turn.
 */
#ifndef PORTMAP_RUN_SWEEP_H
#define PORTMAP_RUN_SWEEP_H

#include "lease/home.h"
#include "lease/table.h"
#include "run/files.h"
#include "run/rundir.h"

#include <stdint.h>

struct sweep {
    unsigned freed;   /* leases given back */
    unsigned dying;   /* runs that may turn out to be dead after LIFE_GRACE */
    unsigned removed; /* runs whose directory was removed */
};

enum { SWEEP_SOME = 1 << 20, SWEEP_ALL = 1 << 30 };

/*
 * Looks at up to `most` runs, for SWEEP_LOOKING at most, and gives the leases of dead ones back. Then removes
 * their directories, for SWEEP_REMOVING at most: that takes ten times as long as a look. SWEEP_ALL has no
 * limits, and also gives back leases of runs whose directory somebody has removed. Returns what it did.
 */
struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most);

/* The same with the home's own table, if there is one. */
void sweep_home(const struct home *home);

/* Clears up one run, if it is dead. */
void sweep_ended(const struct home *home, uint64_t run_id);

#define SWEEP_LOOKING UINT64_C(200000000) /* nanoseconds; 5 000 runs */
#define SWEEP_REMOVING UINT64_C(50000000)

/* The directory of a dead run that is to be taken over. */
struct vacancy {
    struct rundir dir;        /* locked; its fd is -1: none */
    char secret[SECRET_SIZE]; /* the name of the head in it, under which nobody finds it any more */
};

/* Looks at a run in turn, and at the run that was made last. Leaves one of them to the caller if it is dead
 * and has left no more files than any run has. `vacancy` may be NULL: then it looks at the former alone. */
void sweep_turn(const struct home *home, struct lease_table *leases, struct vacancy *vacancy);

/* Gives all leases of a run back and removes its directory: for a run that could not be made. */
void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id);

#endif
