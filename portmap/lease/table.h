/*
 * The lease table: which real ports are leased, and to whom, among all runs and processes of one user,
 * without a daemon.
 *
 * It is a file in the home, mapped shared, with one word for each port: its owner. Ports are claimed and
 * freed by compare-and-swap, so that no lock is left behind by a process that dies. An owner is a run
 * (run/run.h), which keeps its ports while it lives, or a process, for which `portshim pick`, the C API or
 * `portshim serve` leased; a port is taken from a process that has died when somebody else wants it. A port
 * is claimed before it is probed, so that no two processes probe it at once and see each other's sockets.
 *
 * After a reboot, the leases from before are freed one by one: their runs and processes are dead. A torn
 * table is replaced (run/leases.h).
 */
#ifndef PORTMAP_LEASE_TABLE_H
#define PORTMAP_LEASE_TABLE_H

#include "host/occupied.h"
#include "host/probe.h"
#include "lease/home.h"
#include "lease/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lease_file;

struct lease_table {
    struct lease_file *file; /* mapped */
    uint64_t device, inode;  /* of that file, to notice that it was replaced */
    uint64_t namespaces;     /* this process's: pid namespace << 32 | network namespace */
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

/* The word for a living process of this pid namespace; kind is LEASE_PROCESS or LEASE_SERVED. 0; -ESRCH when
 * there is no such process; PORTMAP_ETOOMANY when processes of too many different namespaces have leases. */
int lease_process_owner(struct lease_table *table, enum lease_kind kind, pid_t pid, lease_owner *owner);

/* Changes the word for a process of our namespaces, made for an older table, so that it names the same
 * process in this one. 0 or PORTMAP_ETOOMANY as above. */
int lease_renew_owner(struct lease_table *table, lease_owner *owner);

/* Whether the word for a process still leads to our namespaces in the table, so that one may lease with it;
 * true for a run. */
bool lease_owner_is_ours(const struct lease_table *table, lease_owner owner);

enum lease_kind lease_kind(lease_owner owner);

/* The id of the run, 0 when the owner is no run; the pid of the process, 0 when the owner is no process. */
uint64_t lease_owner_run(lease_owner owner);
pid_t lease_owner_pid(lease_owner owner);

/* Whether two words name one process, whatever their kinds. */
bool lease_is_same_process(lease_owner a, lease_owner b);

/* Whether an owner is a process that is known to have died. False when that is unknown, and for a run:
 * run/life.h judges those. */
bool lease_owner_has_died(const struct lease_table *table, lease_owner owner);

/* The same for the owners of many ports. Processes of other pid namespaces are found only by going through
 * all of /proc: that is done once, when the first such owner is met. Begin with {.table = table}. */
struct lease_look {
    const struct lease_table *table;
    struct lease_absent *absent; /* what /proc said, mapped; NULL at first */
};

bool lease_look_has_died(struct lease_look *look, unsigned port, lease_owner owner);
void lease_look_end(struct lease_look *look);

/*
 * Maps the home's table. 0; -ENOENT when there is none; PORTMAP_ETORN when its size, magic or version is not
 * this one's; PORTMAP_EFOREIGN when it is not a regular file of this user; or a negated errno. leases_open()
 * of run/leases.h is the call that also makes a table.
 */
int lease_open_existing(struct lease_table *table, const struct home *home);

/*
 * Makes an empty table beside the home's, for lease_record() to fill and lease_install() to put in place,
 * atomically. The caller holds the lock of the home's directory. 0 or a negated errno: -ENOSPC when the disk
 * is full. The whole file is allocated, so that no later store can fault.
 */
int lease_draft(struct lease_table *table, const struct home *home);
void lease_record(struct lease_table *table, unsigned port, lease_owner owner);
int lease_install(const struct home *home);

void lease_close(struct lease_table *table);

/* This process's pid and network namespaces, as in host/process.h, without asking again. */
void lease_namespaces(const struct lease_table *table, uint32_t *pid, uint32_t *net);

/* Looks up again which namespaces this process is in: those of a forked child may not be its parent's. */
void lease_enter_namespaces(struct lease_table *table);

/* Whether the table is still the home's. False when it has been replaced, or is damaged and will be: others
 * do not see claims in it. leases_settle() of run/leases.h decides what follows. home->fd may be closed. */
bool lease_is_current(const struct lease_table *table, const struct home *home);

enum lease_effort {
    LEASE_FREE_ONLY, /* ports that probe free */
    LEASE_TIME_WAIT, /* also ports that only connections in TIME_WAIT keep taken */
    LEASE_LEFT_OVER, /* also ports that no process has: all states in which connections are left behind */
};

/* For whom to lease, and how free the port has to be. */
struct lease_want {
    lease_owner owner;
    enum lease_effort effort;
    const struct probe_scope *scope; /* NULL: free on every address, for TCP and UDP */
    struct occupied *occupied;       /* asked instead of the kernel, where the scope is all; or NULL */
    const struct portbits *avoid;    /* ports of the pool that lease_take() is not to give; or NULL */
    struct lease_look *look;         /* keeps what lease_claim() finds out, for further claims; or NULL */
};

/*
 * Leases this very port. 0, also when the owner has it already; PORTMAP_EHELD when another owner has it;
 * PORTMAP_EINUSE when a socket has it; -EACCES when it is privileged; PORTMAP_ETORN when the table has been
 * damaged; or another negated errno.
 */
int lease_claim(struct lease_table *table, unsigned port, const struct lease_want *want);

/* The probe alone: whether a port is free in the way that is wanted. 0; PORTMAP_EINUSE; -EACCES; or another
 * negated errno. */
int lease_probe(unsigned port, const struct lease_want *want);

/* Leases a port of the pool, preferably one that was not in use lately. Returns the port; PORTMAP_EXHAUSTED
 * when none is free; PORTMAP_ETORN as above; or a negated errno. */
int lease_take(struct lease_table *table, const struct pool *pool, const struct lease_want *want);

/* Makes `to` the owner of a port that `from` owns; with from 0, of a free port. Does not probe it. False when
 * `from` does not own it. */
bool lease_transfer(struct lease_table *table, unsigned port, lease_owner from, lease_owner to);

/* Gives a port back; false, without effect, when `owner` does not have it. */
bool lease_release(struct lease_table *table, unsigned port, lease_owner owner);

/* The owner of a port; 0 when nobody has it. */
lease_owner lease_holder(const struct lease_table *table, unsigned port);

/* When a port was given back last, in seconds since boot; 0 when it never was. */
uint32_t lease_released_at(const struct lease_table *table, unsigned port);

/* Whether any port was given back in the last `most` seconds. */
bool lease_was_released(const struct lease_table *table, uint32_t most);

/* Where among the run directories the next command looks for dead runs, for run/sweep.h. Any number at first.
 */
uint64_t lease_sweep_position(const struct lease_table *table);
void lease_set_sweep_position(struct lease_table *table, uint64_t position);

/* The id of the run that was made last, for run/sweep.h. Any number at first. */
uint64_t lease_last_run(const struct lease_table *table);
void lease_set_last_run(struct lease_table *table, uint64_t run_id);

/* Whether an open file is a lease table of this version, maybe another user's. It is neither trusted nor
 * mapped. */
bool lease_is_table(int fd);

/* The owner of a port in such a file; 0 when the file is too short. */
lease_owner lease_peek(int fd, unsigned port);

#endif
