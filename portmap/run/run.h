/*
 * Making a run (its directory, map, leases, names and map files), and undoing that.
 */
#ifndef PORTMAP_RUN_RUN_H
#define PORTMAP_RUN_RUN_H

#include "lease/home.h"
#include "run/compact.h"
#include "run/files.h"
#include "run/obtain.h"
#include "run/portset.h"
#include "run/publish.h"

#include <limits.h>

/* Which placeholders run_add() has added: their range in the map's start[]. */
struct run_mark {
    uint32_t first, end;
    uint32_t log_next; /* that of the map when they were added */
};

struct run {
    char path[PATH_MAX]; /* of its directory */
    struct map *map;     /* as of files_open(), with the lock as for a process of the run */
    struct map opened;   /* usually that map */
    struct run_mark mark;
};

/* What the new run should be like. */
struct run_wish {
    const struct portset *ports;   /* NULL: none */
    const char *name;              /* or NULL */
    bool name_may_vary;            /* if a living run has it, one with a number: name_numbered() */
    const char *private_name;      /* of a run started by hand, for the library alone; or NULL */
    const char *const *files;      /* absolute paths of map files to publish, NULL at the end */
    const char *command;           /* the command, for people */
    const char *key;               /* which decides about real ports (lease/key.h), or NULL */
    const char *outer;             /* directory of the run this one is inside of, or NULL */
    bool reveal, strict, discover; /* as in struct map */
};

/* The step that failed, for the error message. */
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
    /* For RUN_STEP_PORT. placeholder 0: a port for the stock; real 0: any port would have done. */
    unsigned placeholder, real;
    char file[PATH_MAX]; /* for RUN_STEP_FILE */
};

/*
 * Makes a run and attaches this process to it. Clears up after some dead runs first. Waits for dying runs, up
 * to the patience of the means, only when the pool is exhausted or one of them owns a port that was asked
 * for. 0, or a code of error.h with *problem filled in and nothing left behind.
 */
int run_create(struct run *run, const struct means *means, const struct run_wish *wish,
               struct run_problem *problem);

/* Puts into words what failed in run_create() or run_add() for that wish. */
void run_explain(const struct run_problem *failed, int error, const struct means *means,
                 const struct run_wish *wish, struct problem *problem);

/* Opens the run with this path, of this user, and stays in it. 0; PORTMAP_EENDED; or an error of
 * files_open(). */
int run_open(struct run *run);

/* Writes what its processes have to know to join the run (run/compact.h). False when it does not fit. */
bool run_compact(const struct run *run, const struct compact_trap *trap, char *buffer, size_t size);

/* Undoes run_create() when the command could not be started: leases, names, map files and directory go. */
void run_discard(struct run *run, const struct home *home);

/* The port server that a process of the run has to ask. The environment names it; the run says whether it is
 * required. It leases for the run's first process while that lives, else for this one. */
struct obtain_server run_server(const struct map *map, char *const *env);

/* Writes the run's map files, as publish_files(); *problem says which one failed. */
int run_publish(const struct run *run, enum publish_occasion occasion, struct run_problem *problem);

#endif
