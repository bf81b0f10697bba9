/*
 * Real ports for late placeholders: the stock of a run, and what is leased when that is empty.
 */
#ifndef PORTMAP_RUN_LATE_H
#define PORTMAP_RUN_LATE_H

#include "run/run.h"

struct assigning; /* see assign.h */

/* Fills the stock of a run that assigns late; without effect on others. 0 or an error; `may_be_less`: 0 as
 * well when a port server has taken half of its time. */
int run_fill_stock(struct assigning *a, bool may_be_less);

/* The means of a process of the run while a program waits for it. */
struct run_means {
    struct means means; /* points to the others */
    struct pool pool;
    struct obtain_server server;
};

/* Takes them from its environment. 0 or an error of pool_load(). */
int run_find_means(struct run_means *found, const struct home *home, const struct map *map, char *const *env);

/* Fills the stock of a run that assigns late; without effect on others. Errors leave it less than full. */
void run_refill(struct run *run, const struct means *means);

/*
 * Puts a port in place of *entry of a late placeholder, as map_take_late() does, and leases it first where
 * the stock has none; then fills the stock. 1 when it was this call that assigned, 0 when another did: *entry
 * is what is in force. Else PORTMAP_EXHAUSTED, or another code of error.h.
 */
int run_assign_late(struct run *run, const struct means *means, unsigned placeholder, uint32_t *entry);

#endif
