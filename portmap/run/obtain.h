/*
 * Getting a lease in every possible way: from the port server if one is named, else from the lease table;
 * when the pool is exhausted, ports that dead runs still own and ports in TIME_WAIT.
 */
#ifndef PORTMAP_RUN_OBTAIN_H
#define PORTMAP_RUN_OBTAIN_H

#include "lease/table.h"
#include "run/life.h"

#include <stdbool.h>

/* A port server, and how asking it went. */
struct obtain_server {
    const char *address;   /* PORTSERVER_ADDRESS; NULL: none */
    pid_t pid;             /* whom the server leases for */
    unsigned milliseconds; /* how long getting one port may take */
    uint64_t deadline; /* process_clock() when it is not asked any more, for all ports together; 0: none */
    bool required;     /* nothing is leased without it */
    int error;         /* why it is not asked any more; 0 while it serves */
    bool is_plain;     /* it has been asked for the port of a number, and does not understand that */
};

/* The port server that PORTSERVER_ADDRESS of this environment names; not required. */
struct obtain_server obtain_server_of(char *const *env, pid_t pid);

/* Limits the time for all ports together, from now on: to this, when somebody else's program waits. */
enum { OBTAIN_BRIEF_MILLISECONDS = 1000 };
void obtain_limit(struct obtain_server *server, unsigned milliseconds);

/* What is needed to get leases. */
struct means {
    const struct home *home;
    struct pool *pool;            /* what the lease table may give, settled when it is needed */
    struct obtain_server *server; /* or NULL */
    uint64_t patience;            /* nanoseconds to wait for dying runs when the pool is exhausted */
    bool (*stop)(void);           /* true: stop waiting; or NULL */
};

struct obtaining {
    struct means means;
    struct lease_table *leases;
    struct lease_want want;       /* its effort is ignored */
    struct occupied *occupied;    /* when many ports are wanted; or NULL */
    const struct portbits *avoid; /* ports that are not to be given, by a server neither; or NULL */
};

/* `patience` when only portshim waits, and when somebody else's program waits for it. */
#define OBTAIN_PATIENT (5 * LIFE_GRACE)
#define OBTAIN_BRIEF (LIFE_GRACE + LIFE_GRACE / 4)

/*
 * Leases a port. A server that fails, or gives nothing usable, is not asked again: server->error says why,
 * and the lease table is used. If the server is required, dying runs are waited for while it has nothing, and
 * then its error is the result. A port from a server is also entered in the lease table, so that those who
 * use only the table keep away from it. Returns the port; PORTMAP_EXHAUSTED; PORTMAP_ETORN when the table is
 * to be opened anew; or another code.
 */
int obtain_port(struct obtaining *o);

/* False when a working server has used up half of its time. Callers then make do with fewer ports: in the
 * other half the server might fail, and ports would come from the table. */
bool obtain_has_time(const struct obtaining *o);

/* Gives back a port of obtain_port() that nobody has used, also to the server if it is from there. */
void obtain_return(struct obtaining *o, unsigned port);

/* Leases this very port from the lease table; waits while a dying run owns it. 0, or as lease_claim(). */
int obtain_given(struct obtaining *o, unsigned port);

/*
 * Leases the port that a number stands for (lease/key.h): in the pool of the server, if it is `portshim
 * serve`, else in ours. Waits while a dying run owns it, and no longer when a living one does. *port is that
 * port, 0 when it is not known as the server is of another kind. 0; PORTMAP_EHELD when another owner has the
 * port, or it is to be avoided, or the run has it already; or another error as of lease_claim() or
 * obtain_port().
 */
int obtain_number(struct obtaining *o, uint32_t number, unsigned *port);

#endif
