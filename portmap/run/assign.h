/*
 * Leasing real ports and aliases for the placeholders of one run: what making a run, adding to it and filling
 * its stock have in common.
 */
#ifndef PORTMAP_RUN_ASSIGN_H
#define PORTMAP_RUN_ASSIGN_H

#include "run/leases.h"
#include "run/obtain.h"
#include "run/portset.h"
#include "run/run.h"
#include "run/sweep.h"

/* Ports leased for a placeholder that is not in the map yet. For the stock, placeholder is 0. */
struct addition {
    uint16_t placeholder, real, alias, protocols;
    uint32_t flags; /* MAP_KEYED, MAP_UNKEYED or 0 */
};

/* What giving a run its ports needs to know. The caller sets the first five members. */
struct assigning {
    struct run *run;
    const struct means *means;
    const struct run_wish *wish; /* of a run that is being made; else NULL */
    const struct portset *ports; /* to assign; NULL: none */
    struct run_problem *problem;
    struct map *map;     /* the run's */
    struct texts *texts; /* of a run that is being made */
    /* Ports to be entered in the map all at once, when all are leased, as programs of the run read it
     * already. NULL: each is entered as soon as it is leased. */
    struct addition *added;
    unsigned added_count;
    struct lease_table leases;
    struct vacancy
        *vacancy; /* for the directory of a run that is to be made, after a look at others; else NULL */
    struct portbits avoid;    /* the run's placeholders, and numbers that it uses already */
    struct portbits first;    /* placeholders that are assigned at once */
    const char *key;          /* of the run; NULL: none */
    uid_t user;               /* key_user(), where there is a key */
    struct portbits *unkeyed; /* placeholders that do not get the port that the key wants */
    struct map *outer;        /* of the run around this one, with its texts; NULL: none */
    struct map outer_map;
    char outer_head[PATH_MAX]; /* the path of its head */
    struct obtaining obtaining;
};

/* Begins, also when tried again. At most `most` of the ports are assigned at once, the others late. Opens the
 * lease table, which the caller closes. 0 or an error of opening it. */
int assign_begin(struct assigning *a, unsigned most);

/* The next step, once the run has its map. */
void assign_set_map(struct assigning *a);

/* Both steps for a run that exists: all ports that are listed are assigned at once. */
int assign_begin_for_run(struct assigning *a);

/* Keeps a port from being leased for this run. */
void assign_avoid(struct assigning *a, unsigned port);

/* The same for all placeholders in the map, and for all numbers that it translates for the program. */
void assign_avoid_known(struct assigning *a);

/* Whether the map has a port as a real port, as an alias or in its stock. */
bool assign_knows(const struct map *map, unsigned port);

/* Leases real ports for the placeholders that are assigned at once and have none. Enters them in the map, or
 * in a->added if that is set. 0 or an error. */
int assign_start(struct assigning *a);

/* The same for aliases, of placeholders in the map that need one or of those in a->added. 0 or an error. */
int assign_aliases(struct assigning *a);
int assign_lease_aliases(struct assigning *a);

/* Enters a->added in the map, or gives the leases in it back. */
int assign_enter_added(struct assigning *a);
void assign_forget_added(struct assigning *a);

/* Whether the run's claims stand, those in the map and those in a->added: as leases_settle(). */
int assign_settle(struct assigning *a);

/* Gives a lease of the run back; no effect for port 0. */
void assign_give_back(struct assigning *a, unsigned port);

#endif
