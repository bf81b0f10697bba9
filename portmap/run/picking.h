/*
 * Leasing ports for processes, as the interface for C programs and `portshim pick` do: what this process has
 * leased, for itself or for others, stays leased when the lease table is replaced.
 *
 * Thread-safe; the child of fork(2) begins with nothing leased.
 */
#ifndef PORTMAP_RUN_PICKING_H
#define PORTMAP_RUN_PICKING_H

#include "run/obtain.h"

/* The home, the pool and the table, otherwise those of the environment. To be called before any other. */
void picking_use(const struct home *home, const struct pool *pool, const struct lease_table *table);

struct picking {
    pid_t pid;                       /* whom to lease for */
    const struct probe_scope *scope; /* as in struct lease_want */
    struct obtain_server *server;    /* asked first, where it has an address */
    bool (*stop)(void);              /* as in struct means */
    bool served;                     /* out: the port is the server's */
    lease_owner owner;               /* the process's word, in the table that is this file */
    const struct lease_file *file;   /* NULL at first */
};

/* Leases a port, and returns it, or an error: as obtain_port(), or of opening the home. */
int picking_lease(struct picking *picking);

/* Whether a port that was leased still is: another may have been quicker in a new lease table. */
bool picking_has(unsigned port);

/* Gives a leased port back. What the server has entered in the table itself, it is to be told. */
void picking_drop(unsigned port);

/* The same, and tells the server of the environment; a port that it does not take back is reserved. 0 or
 * PORTMAP_ENOTOURS. */
int picking_release(unsigned port);

/* Leases this very port to this process, not probed, and keeps it for picking_take_reserved(). 0,
 * PORTMAP_EHELD or an error of opening the table. */
int picking_reserve(unsigned port);

/* One of those that are reserved, 0 when there is none. */
int picking_take_reserved(void);

#endif
