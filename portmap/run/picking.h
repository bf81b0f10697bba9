/*
 * Leasing ports for processes, for the C interface (portmap.h) and `portshim pick`. What this process has
 * leased, for itself or for others, stays leased when the lease table is replaced.
 *
 * Thread-safe; the child of fork(2) begins with nothing leased.
 */
#ifndef PORTMAP_RUN_PICKING_H
#define PORTMAP_RUN_PICKING_H

#include "run/obtain.h"

/* Sets home, pool and table, otherwise those of the environment. To be called before any other function. */
void picking_use(const struct home *home, const struct pool *pool, const struct lease_table *table);

struct picking {
    pid_t pid;                       /* whom to lease for */
    const struct probe_scope *scope; /* as in struct lease_want */
    struct obtain_server *server;    /* asked first if it has an address */
    bool (*stop)(void);              /* as in struct means */
    bool served;                     /* out: the port came from the server */
    lease_owner owner;               /* the word for the process, in the table `file` */
    const struct lease_file *file;   /* NULL at first */
};

/* Leases a port. Returns it, or an error of obtain_port() or of opening the home. */
int picking_lease(struct picking *picking);

/* Whether a port that was leased still is: when the table was replaced, another may have been quicker. */
bool picking_has(unsigned port);

/* Gives a leased port back. If the server has entered it in the table, the caller has to tell the server. */
void picking_drop(unsigned port);

/* The same, and tells the server that the environment names. A port that the server does not take back is
 * reserved, as by picking_reserve(). 0 or PORTMAP_ENOTOURS. */
int picking_release(unsigned port);

/* Leases this very port to this process, without probing it, for picking_take_reserved(). 0, PORTMAP_EHELD or
 * an error of opening the table. */
int picking_reserve(unsigned port);

/* Takes one of the reserved ports; 0 when there is none. */
int picking_take_reserved(void);

#endif
