/*
 * What `portshim serve` has leased to whom: the lease table (table.h) holds every lease, so that other users
 * of that table keep away from the port and a server that comes after this one finds it. Here is what the
 * table does not say: which process to watch, and whose account a lease is on.
 */
#ifndef PORTMAP_SERVE_LEASES_H
#define PORTMAP_SERVE_LEASES_H

#include "lease/home.h"
#include "lease/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct serve_leases;

/* What happened so far, and what is. */
struct serve_counts {
    unsigned managed, leases, processes, kept; /* now; kept: for runs whose first process has died */
    unsigned long allocated, reclaimed, released;
    unsigned long checked; /* how many ports were looked at for the last request */
};

/*
 * Opens the home's lease table and takes over what a server before this one leased to processes that live.
 * cap: how many leases one user may have; 0: as portshim-serve(1) says. 0 or a code of error.h. epoll gets a
 * descriptor for each process with a lease; its event's data is `tag` and the number for
 * serve_leases_ended().
 */
int serve_leases_open(struct serve_leases **leases, const struct home *home, const struct pool *pool,
                      unsigned cap, int epoll, uint64_t tag);

/*
 * Leases a port to a process, on that user's account. pidfd is of that process, checked to live, and taken
 * over in any case. The port, PORTMAP_ETOOMANY when the account is at its cap, PORTMAP_EXHAUSTED when no port
 * is free, -ESRCH when the process has died, or another code. The least recently used port is given.
 */
int serve_leases_grant(struct serve_leases *leases, pid_t pid, int pidfd, uid_t account);

/* Gives a port back: for root, or on whose account it is. False when it is not theirs. */
bool serve_leases_release(struct serve_leases *leases, unsigned port, uid_t by);

/* A process has died, as epoll says: its ports are free, unless a run needs them. */
void serve_leases_ended(struct serve_leases *leases, uint32_t number);

/* To be called every second or so: looks after what no event tells. */
void serve_leases_tick(struct serve_leases *leases);

struct serve_counts serve_leases_count(const struct serve_leases *leases);

#endif
