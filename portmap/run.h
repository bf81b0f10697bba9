/*
 * Making a run: its directory, its map, its leases, its name and its published files.
 */
#ifndef PORTMAP_RUN_H
#define PORTMAP_RUN_H

#include "home.h"
#include "map.h"
#include "obtain.h"
#include "pool.h"
#include "portset.h"

#include <limits.h>

/* The placeholders that run_add() has added: where they stand in the map's start[]. */
struct run_mark {
    uint32_t first, end;
    uint32_t log_next; /* the map's, when they were added */
};

struct run {
    char path[PATH_MAX]; /* of its directory */
    struct map *map;     /* attached */
    struct run_mark mark;
};

/* What a run is to be. */
struct run_wish {
    const struct portset *ports;   /* NULL: none */
    const char *name;              /* or NULL */
    const char *private_name;      /* a name of our own for what was started by hand, or NULL */
    const char *const *files;      /* absolute paths of map files to publish, NULL at the end */
    const char *command;           /* for people: what is run */
    const char *outer;             /* directory of the run this one is inside of, or NULL */
    bool reveal, strict, discover; /* as the map has them */
};

/* Which step failed, at what: for one line on stderr. */
enum run_step {
    RUN_STEP_DIRECTORY,
    RUN_STEP_TABLE,
    RUN_STEP_OUTER,
    RUN_STEP_PORT,
    RUN_STEP_NAME,
    RUN_STEP_FILE
};

struct run_problem {
    enum run_step step;
    /* For RUN_STEP_PORT: 0 where the stock lacks one; 0 where any would have done. */
    unsigned placeholder, real;
    char file[PATH_MAX]; /* for RUN_STEP_FILE */
};

/*
 * Makes a run and attaches this process to it. Dead runs are swept on the way. Waits as
 * long as the means' patience says, and only when the pool is exhausted while runs are dying. Returns 0,
 * or a code of error.h with *problem filled in; nothing is left behind then.
 */
int run_create(struct run *run, const struct means *means, const struct run_wish *wish,
               struct run_problem *problem);

/*
 * Adds the placeholders that the run does not have yet; those it has keep their real ports. Its map files are
 * written again. 0, or a code as above with the run as it was.
 */
int run_add(struct run *run, const struct means *means, const struct portset *ports,
            struct run_problem *problem);

/*
 * Undoes the last run_add() of this struct when what it was for could not be started. Without effect once a
 * program of the run may use what was added: has bound it, or has joined the run since.
 */
void run_take_back(struct run *run, const struct home *home);

/* Undoes run_create() when the command could not be started: leases, map files and directory go. */
void run_discard(struct run *run, const struct home *home);

/* The port server that a process of the run is to ask: the environment names it, the run requires it. It
 * leases for the run's first process while that lives. */
struct obtain_server run_server(const struct map *map, char *const *env);

/* The means of a process of the run while a program waits for it. */
struct run_means {
    struct means means; /* points to the others */
    struct pool pool;
    struct obtain_server server;
};

/* Takes them from its environment. 0 or an error of pool_load(). */
int run_find_means(struct run_means *found, const struct home *home, const struct map *map, char *const *env);

/* Fills the stock of a run that assigns late; without effect on others. Errors leave it less than full. */
void run_refill(struct run *run, const struct means *means);

/*
 * Puts a port in place of *entry of a late placeholder, as map_take_late() does, and leases it first where
 * the stock has none; then fills the stock. 1 when it was this call that assigned, 0 when another did: *entry
 * is what is in force. Else PORTMAP_EXHAUSTED, or another code of error.h.
 */
int run_assign_late(struct run *run, const struct means *means, unsigned placeholder, uint32_t *entry);

#endif
