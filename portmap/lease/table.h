/*
 * The lease table: who owns which real port, among all runs and picks of one uid, without a daemon.
 *
 * One file in the home, mapped shared, with a word for each port that is claimed and freed by
 * compare-and-swap: no lock is held while a process decides, so none can be lost with it. An owner is a run
 * (see run.h), alive as long as the run, or a process, which `portshim pick`, the C API or `portshim serve`
 * leased for; such a lease is taken from it when it has died. A claim is made before the port is probed, so
 * that no two claimants probe, and disturb, each other.
 *
 * What it says of an earlier boot is taken back lease by lease, as those runs and processes are dead. A torn
 * one is replaced (leases.h).
 */
#ifndef PORTMAP_LEASE_TABLE_H
#define PORTMAP_LEASE_TABLE_H

#include "host/probe.h"
#include "lease/home.h"
#include "lease/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lease_file;

struct lease_table {
    struct lease_file *file; /* mapped */
    uint64_t device, inode;  /* of that file */
    uint64_t namespaces;     /* this process's, packed */
};

/* A word that names an owner; 0 is nobody. */
typedef uint64_t lease_owner;

enum lease_kind {
    LEASE_NOBODY,
    LEASE_RUN,
    LEASE_PROCESS, /* leased for a process by itself, or by a command */
    LEASE_SERVED,  /* leased for a process by `portshim serve` */
};

lease_owner lease_run_owner(uint64_t run_id);

/*
 * The word for a living process of this pid namespace, of kind LEASE_PROCESS or LEASE_SERVED. -ESRCH when
 * there is no such process, PORTMAP_ETOOMANY when processes of too many namespaces have leases, else 0.
 */
int lease_process_owner(struct lease_table *table, enum lease_kind kind, pid_t pid, lease_owner *owner);

/* Makes the word for a process of these namespaces mean the same process in a table that came after the one
 * it was made for. PORTMAP_ETOOMANY as above, else 0. */
int lease_renew_owner(struct lease_table *table, lease_owner *owner);

enum lease_kind lease_kind(lease_owner owner);

/* The run that owns, 0 when the owner is not a run; the process that owns, 0 when it is not a process. */
uint64_t lease_owner_run(lease_owner owner);
pid_t lease_owner_pid(lease_owner owner);

/* Whether two words name one process, whoever leased for it. */
bool lease_is_same_process(lease_owner a, lease_owner b);

/* Whether an owner is a process that is known to have died: unknown is not dead. Runs are judged by
 * life.h. */
bool lease_owner_has_died(const struct lease_table *table, lease_owner owner);

/*
 * The same for the owners of many ports. To look for the processes of other pid namespaces is to look at
 * every process there is: it is done once, when the first of them is met. Begin with the table and NULL.
 */
struct lease_look {
    const struct lease_table *table;
    struct lease_absent *absent; /* what was found out, mapped */
};

bool lease_look_has_died(struct lease_look *look, unsigned port, lease_owner owner);
void lease_look_end(struct lease_look *look);

/*
 * Maps the table of the home. 0, -ENOENT when there is none, PORTMAP_ETORN when its size, magic or
 * version is not this one's, PORTMAP_EFOREIGN when it is not this user's regular file, or a negated errno.
 * leases_open() of leases.h is the call that also makes one.
 */
int lease_open_existing(struct lease_table *table, const struct home *home);

/*
 * Makes an empty table beside the home's, to be filled with lease_record() and put in place, atomically, by
 * lease_install(). The caller holds the lock of the home's directory. 0 or a negated errno: -ENOSPC when the
 * disk is full (the file is allocated whole, so that no later store can fault).
 */
int lease_draft(struct lease_table *table, const struct home *home);
void lease_record(struct lease_table *table, unsigned port, lease_owner owner);
int lease_install(const struct home *home);

void lease_close(struct lease_table *table);

/* Looks anew which namespaces this process is in: those of a child may not be its parent's, which opened the
 * table. */
void lease_enter_namespaces(struct lease_table *table);

/* False when the table has been replaced, or damaged so that it will be, since it was opened: claims in it
 * are not seen by others. home->fd may be closed. What follows from it is decided by leases_settle() alone.
 */
bool lease_is_current(const struct lease_table *table, const struct home *home);

enum lease_effort {
    LEASE_FREE_ONLY, /* ports that probe free */
    LEASE_TIME_WAIT, /* also ports that only connections in TIME_WAIT keep taken */
};

/* For whom, and how free it has to be. */
struct lease_want {
    lease_owner owner;
    enum lease_effort effort;
    const struct probe_scope *scope; /* NULL: free on every address, for TCP and UDP */
    struct lease_look *look; /* what lease_claim() learns about other claims, and from them; or NULL */
};

/*
 * Leases one given port. 0, PORTMAP_EHELD when another owner has it, PORTMAP_EINUSE when a socket does,
 * -EACCES when it is privileged, PORTMAP_ETORN when the table has been damaged, or a negated errno. A port
 * that the owner has already stays its own: 0.
 */
int lease_claim(struct lease_table *table, unsigned port, const struct lease_want *want);

/*
 * Leases a port of the pool, least recently used first. Returns the port, PORTMAP_EXHAUSTED when there is
 * none, PORTMAP_ETORN as above, or a negated errno.
 */
int lease_take(struct lease_table *table, const struct pool *pool, const struct lease_want *want);

/* Makes another the owner of a leased port; false when it was not the first one's. Not probed. With from 0,
 * the port is leased as it is. */
bool lease_transfer(struct lease_table *table, unsigned port, lease_owner from, lease_owner to);

/* Gives one port back; false, and nothing happens, when it is not the owner's. */
bool lease_release(struct lease_table *table, unsigned port, lease_owner owner);

/* Who has a port; 0 when nobody. */
lease_owner lease_holder(const struct lease_table *table, unsigned port);

/* When a port was given back last, in seconds since boot; 0 when it never was leased. */
uint32_t lease_released_at(const struct lease_table *table, unsigned port);

/* Whether a file open for reading is somebody else's table, of this version. It is neither trusted nor
 * mapped. */
bool lease_is_table(int fd);

/* Who has a port by such a table; 0 when it ends before. */
lease_owner lease_peek(int fd, unsigned port);

#endif
