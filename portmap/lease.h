/*
 * The lease table: who owns which real port, among all runs and picks of one uid, without a daemon.
 *
 * One file in the home, mapped shared, with a word for each port that is claimed and freed by
 * compare-and-swap: no lock is held while a process decides, so none can be lost with it. An owner is a run
 * (see run.h), alive as long as the run. A claim is made before the port is probed, so that no two claimants
 * probe, and disturb, each other.
 *
 * The file belongs to one boot. A torn or older one is replaced (recover.h).
 */
#ifndef PORTMAP_LEASE_H
#define PORTMAP_LEASE_H

#include "home.h"
#include "pool.h"

#include <stdbool.h>
#include <stdint.h>

struct lease_file;

struct lease_table {
    struct lease_file *file; /* mapped */
    uint64_t device, inode;  /* of that file */
};

/* A word that names an owner; 0 is nobody. */
typedef uint64_t lease_owner;

enum { RUN_ID_BITS = 56 };
lease_owner lease_run_owner(uint64_t run_id);

/* The run that owns, or 0 when the owner is not a run. */
uint64_t lease_owner_run(lease_owner owner);

/*
 * Maps the table of the home. 0, -ENOENT when there is none, PORTMAP_ETORN when its size, magic, version or
 * boot is not this one's, PORTMAP_EFOREIGN when it is not this user's regular file, or a negated errno.
 * recover_leases() of recover.h is the call that also makes one.
 */
int lease_open(struct lease_table *table, const struct home *home);

/*
 * Makes an empty table beside the home's, to be filled with lease_record() and put in place, atomically, by
 * lease_install(). The caller holds the home's lock. 0 or a negated errno: -ENOSPC when the disk is full (the
 * file is allocated whole, so that no later store can fault).
 */
int lease_draft(struct lease_table *table, const struct home *home);
void lease_record(struct lease_table *table, unsigned port, lease_owner owner);
int lease_install(const struct home *home);

void lease_close(struct lease_table *table);

/* False when the table has been replaced since it was opened: claims in it are not seen by others. */
bool lease_is_current(const struct lease_table *table, const struct home *home);

/*
 * Leases one given port. 0, PORTMAP_EHELD when another owner has it, PORTMAP_EINUSE when a socket does,
 * -EACCES when it is privileged, or a negated errno. A port that the owner has already stays its own: 0.
 * Connections in TIME_WAIT are no hindrance: whoever names a port means the one it used a moment ago, too.
 */
int lease_claim(struct lease_table *table, unsigned port, lease_owner owner);

enum lease_effort {
    LEASE_FREE_ONLY, /* ports that probe free */
    LEASE_TIME_WAIT, /* also ports that only connections in TIME_WAIT keep taken */
};

/*
 * Leases a port of the pool, least recently used first. Returns the port, PORTMAP_EXHAUSTED when there is
 * none, or a negated errno.
 */
int lease_take(struct lease_table *table, const struct pool *pool, lease_owner owner,
               enum lease_effort effort);

/* Gives one port back; nothing happens when it is not the owner's. */
void lease_release(struct lease_table *table, unsigned port, lease_owner owner);

/* Who has a port; 0 when nobody. */
lease_owner lease_holder(const struct lease_table *table, unsigned port);

#endif
