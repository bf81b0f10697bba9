/*
 * Getting a lease by whatever way there is: from the port server where one is named, else from the lease
 * table, and when the pool has nothing left, what the dead still hold and what TIME_WAIT holds.
 */
#ifndef PORTMAP_RUN_OBTAIN_H
#define PORTMAP_RUN_OBTAIN_H

#include "lease/table.h"
#include "run/life.h"

#include <stdbool.h>

/* A port server, and what became of asking it. */
struct obtain_server {
    const char *address;   /* of PORTSERVER_ADDRESS; NULL when there is none */
    pid_t pid;             /* whom the server leases for */
    unsigned milliseconds; /* what getting one port may take */
    uint64_t deadline; /* process_clock() when no more is asked of it, however many ports that were; or 0 */
    bool required;     /* no lease without it */
    int error;         /* why it has been given up; 0 as long as it serves */
};

/* The one that PORTSERVER_ADDRESS of this environment names, not required. */
struct obtain_server obtain_server_of(char *const *env, pid_t pid);

/* What all ports together may take where somebody else's program waits meanwhile; begins now. */
enum { OBTAIN_BRIEF_MILLISECONDS = 1000 };
void obtain_limit(struct obtain_server *server, unsigned milliseconds);

/* What leases are got with. */
struct means {
    const struct home *home;
    const struct pool *pool;      /* what the lease table may give; a server has its own */
    struct obtain_server *server; /* or NULL */
    uint64_t patience;            /* nanoseconds to wait for dying runs when the pool is exhausted */
    bool (*stop)(void);           /* true: nothing is waited for any more; or NULL */
};

struct obtaining {
    struct means means;
    struct lease_table *leases;
    struct lease_want want;       /* its effort is of no meaning here */
    const struct portbits *avoid; /* what a server may not give either; or NULL */
};

/* What those wait who have a process of their own to wait in, and what somebody else's program may wait. */
#define OBTAIN_PATIENT (5 * LIFE_GRACE)
#define OBTAIN_BRIEF (LIFE_GRACE + LIFE_GRACE / 4)

/*
 * Leases a port. A server that fails, or gives nothing usable, is given up with its error said in
 * the server's error, and the lease table is used; where it is required, that is the result, when the server
 * has still nothing after dying runs were waited for. A port of a server is recorded in the lease table, so
 * that those who use the table alone keep away from it. Returns the port, PORTMAP_EXHAUSTED, PORTMAP_ETORN
 * when the table is to be opened anew, or another code.
 */
int obtain_port(struct obtaining *o);

/* False when a server that serves has taken half of its time: a port less is better than one from elsewhere.
 */
bool obtain_has_time(const struct obtaining *o);

/* Gives back a port that obtain_port() got and nobody has used, also to the server that it may be from. */
void obtain_return(struct obtaining *o, unsigned port);

/* Leases this very port from the lease table, waiting for a holder that is dying. 0, or as lease_claim(). */
int obtain_given(struct obtaining *o, unsigned port);

#endif
