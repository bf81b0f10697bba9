/*
 * Real ports for late placeholders: from the stock of the run, or leased when the stock is empty.
 */
#ifndef PORTMAP_RUN_LATE_H
#define PORTMAP_RUN_LATE_H

#include "run/run.h"

struct assigning; /* run/assign.h */

/* Fills the stock of a run that has late placeholders; others have no stock. 0 or an error. If `may_be_less`,
 * stops with 0 when a port server has used up half of its time. */
int run_fill_stock(struct assigning *a, bool may_be_less);

/* What a process of the run leases with while a program waits for it. */
struct run_means {
    struct means means; /* points to the members below */
    struct pool pool;
    struct obtain_server server;
};

/* Finds them in the environment of the process. 0 or an error of pool_choose(). */
int run_find_means(struct run_means *found, const struct home *home, const struct map *map, char *const *env);

/* Fills the stock of a run that has late placeholders. After an error it has less than it could. */
void run_refill(struct run *run, const struct means *means);

/*
 * Puts a port in place of *entry of a late placeholder, as map_take_late() does, and leases one first if the
 * stock is empty; then fills the stock. 1 when this call assigned the port, 0 when another process did:
 * *entry is the entry in force. Else PORTMAP_EXHAUSTED, or another code of error.h.
 */
int run_assign_late(struct run *run, const struct means *means, unsigned placeholder, uint32_t *entry);

/*
 * The same for a process that has only joined the run of this path: opens the home that the path is in, the
 * run of the map (that run or one around it), and what leases as the environment says. If entry is NULL, only
 * fills the stock, without waiting. The result is as above; another negative one when the run is out of
 * reach. After chroot, or in another mount namespace, it is: a home that was made at that path would be
 * another one, with a lease table of its own.
 */
int run_lease_late(const char *run_path, const struct map *map, char *const *env, unsigned placeholder,
                   uint32_t *entry);

#endif
