/*
 * Leasing real ports, and aliases, for the placeholders of one run: what making a run, adding to it and
 * filling its stock have in common.
 */
#ifndef PORTMAP_RUN_ASSIGN_H
#define PORTMAP_RUN_ASSIGN_H

#include "run/leases.h"
#include "run/obtain.h"
#include "run/portset.h"
#include "run/run.h"

/* Leased for a placeholder that is not in the map yet; for the stock where that is 0. */
struct addition {
    uint16_t placeholder, real, alias, protocols;
};

/* Everything that is needed to give a run its ports. The caller sets the first five. */
struct assigning {
    struct run *run;
    const struct means *means;
    const struct run_wish *wish; /* of a new run; or NULL */
    const struct portset *ports; /* to be assigned; NULL: none */
    struct run_problem *problem;
    struct map *map; /* the run's */
    /* What waits for the whole to be there, as others look into the map already; or NULL. */
    struct addition *added;
    unsigned added_count;
    struct lease_table leases;
    struct pool pool;      /* the means', less the run's own placeholders */
    struct portbits avoid; /* those */
    struct portbits first; /* the placeholders that are assigned at once */
    struct map *outer;     /* of the run around this one, or NULL */
    struct obtaining obtaining;
};

/*
 * Begins, maybe once more: `most` of the ports are to be assigned at once. Opens the lease table, which the
 * caller closes. 0 or an error of opening.
 */
int assign_begin(struct assigning *a, unsigned most);

/* To be called next, when the run has its map. */
void assign_set_map(struct assigning *a);

/* Both for a run that is there already: however much is listed, it is assigned at once. */
int assign_begin_for_run(struct assigning *a);

/* Keeps a number from being leased for this run. */
void assign_avoid(struct assigning *a, unsigned port);

/* The same for the placeholders in the map, and for what the kernel calls something else already. */
void assign_avoid_known(struct assigning *a);

/* Whether a number is in the map as a real port, as an alias or in the stock. */
bool assign_knows(const struct map *map, unsigned port);

/* Leases real ports for the placeholders that are assigned at once and have none. They go into the map, or,
 * where a->added is set, there. 0 or an error. */
int assign_start(struct assigning *a);

/* Then for what is in the map and needs an alias, or for what is in a->added. 0 or an error. */
int assign_aliases(struct assigning *a);
int assign_lease_aliases(struct assigning *a);

/* Puts what is in a->added into the map, or gives its leases back. */
int assign_enter_added(struct assigning *a);
void assign_forget_added(struct assigning *a);

/* Whether the run's claims, those in the map and those in a->added, stand: as leases_settle(). */
int assign_settle(struct assigning *a);

/* Gives one lease of the run back; without effect for 0. */
void assign_give_back(struct assigning *a, unsigned port);

#endif
