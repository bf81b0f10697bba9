/*
 * What `portshim serve` has leased to whom. The lease table (table.h) holds every lease, so that other users
 * of the table keep away from the port and the server's successor finds it. This module adds what the table
 * does not hold: which process to watch, and which user's account a lease counts on.
 */
#ifndef PORTMAP_SERVE_LEASES_H
#define PORTMAP_SERVE_LEASES_H

#include "lease/home.h"
#include "lease/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct serve_leases;

/* Numbers for the server's statistics. */
struct serve_counts {
    unsigned managed, leases, processes, kept;    /* now; kept: for runs whose first process has died */
    unsigned long allocated, reclaimed, released; /* since the start */
    unsigned long checked;                        /* how many ports the last request tried */
};

/*
 * Opens the home's lease table and takes over the leases that an earlier server gave to processes that still
 * live. cap is how many leases one user may have, 0 for the default in portshim-serve(1). Returns 0 or a code
 * of error.h. Adds to epoll a descriptor for each process with a lease, whose event data is `tag` ORed with
 * the number to pass to serve_leases_ended().
 */
int serve_leases_open(struct serve_leases **leases, const struct home *home, const struct pool *pool,
                      unsigned cap, int epoll, uint64_t tag);

/*
 * Leases a port to a process, on that user's account: `wanted`, or with 0 the least recently used free one.
 * pidfd is the process's descriptor, found alive by the caller; it belongs to this module afterwards, also on
 * failure. Returns the port, PORTMAP_ETOOMANY when the account is at its cap, PORTMAP_EXHAUSTED when no port
 * is free, PORTMAP_EHELD when the wanted one is not, -ESRCH when the process has died, or another code.
 */
int serve_leases_grant(struct serve_leases *leases, pid_t pid, int pidfd, uid_t account, unsigned wanted);

/*
 * Finds the living process with this pid if it has leases on that user's account. Its pidfd, which this
 * module has kept, tells whether the pid is still its own: that takes one system call, and no look at /proc.
 * Returns the number to pass to serve_leases_grant_more() at once, or 0.
 */
uint32_t serve_leases_find(const struct serve_leases *leases, pid_t pid, uid_t account);

/* Leases one more port to the process that was found, and returns as serve_leases_grant(). */
int serve_leases_grant_more(struct serve_leases *leases, uint32_t number, unsigned wanted);

/* The port that a number stands for in the pool (lease/key.h). If it is kept for a run, this finds out
 * whether that run is over, instead of the next serve_leases_tick(). */
unsigned serve_leases_port(struct serve_leases *leases, uint32_t number);

/* Gives a port back. False when user `by` is neither root nor the one whose account it is on. */
bool serve_leases_release(struct serve_leases *leases, unsigned port, uid_t by);

/* To be called when epoll reports a process's death. Frees its ports, but for those that a run needs. */
void serve_leases_ended(struct serve_leases *leases, uint32_t number);

/* To be called every second or so. Finds the deaths of processes and runs that no event reports. */
void serve_leases_tick(struct serve_leases *leases);

struct serve_counts serve_leases_count(const struct serve_leases *leases);

#endif
