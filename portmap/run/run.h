/*
 * Making a run: its directory, its map, its leases, its name and its published files; and undoing that.
 */
#ifndef PORTMAP_RUN_RUN_H
#define PORTMAP_RUN_RUN_H

#include "lease/home.h"
#include "run/map.h"
#include "run/obtain.h"
#include "run/portset.h"
#include "run/publish.h"

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
 * Makes a run and attaches this process to it. Dead runs are swept on the way. Waits as long as the means'
 * patience says, and only when the pool is exhausted while runs are dying. Returns 0, or a code of error.h
 * with *problem filled in; nothing is left behind then.
 */
int run_create(struct run *run, const struct means *means, const struct run_wish *wish,
               struct run_problem *problem);

/* Puts into words what failed, of run_create() or run_add() for that wish. */
void run_explain(const struct run_problem *failed, int error, const struct means *means,
                 const struct run_wish *wish, struct problem *problem);

/* Undoes run_create() when the command could not be started: leases, map files and directory go. */
void run_discard(struct run *run, const struct home *home);

/* The port server that a process of the run is to ask: the environment names it, the run requires it. It
 * leases for the run's first process while that lives. */
struct obtain_server run_server(const struct map *map, char *const *env);

/* Writes the run's map files, as publish_files(); *problem says which one failed. */
int run_publish(const struct run *run, enum publish_occasion occasion, struct run_problem *problem);

#endif
