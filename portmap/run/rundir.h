/*
 * Run directories: HOME/runs/ID, where ID is the run's id in hexadecimal.
 *
 * A directory is made as a draft, HOME/runs/.ID, and gets its name when its files are complete. Or the one of
 * a dead run is taken over: its files are written again in place, and it is renamed. Whoever makes, takes
 * over or removes one holds flock(2) on it meanwhile. No other user can do that: they may pass through the
 * directory, but not open it. So what a killed maker leaves needs no clock to be recognized: it is a draft,
 * or a directory whose files name another run, and its lock is free.
 */
#ifndef PORTMAP_RUN_RUNDIR_H
#define PORTMAP_RUN_RUNDIR_H

#include "lease/home.h"

#include <stdbool.h>
#include <stdint.h>

enum { RUNDIR_NAME_SIZE = 21 }; /* "runs/", maybe a dot, 14 digits, terminator */

/* The name of a run's directory below the home. */
void rundir_name(char name[static RUNDIR_NAME_SIZE], uint64_t run_id);

/* The absolute path of that directory, in path[PATH_MAX]: 0, or -ENAMETOOLONG. */
int rundir_path(const struct home *home, uint64_t run_id, char path[static PATH_MAX]);

/* Reads a run's id from its directory's own name: 14 hexadecimal digits. False when it is not one. */
bool rundir_id(const char *digits, uint64_t *run_id);

/* Calls visit for the id of every run directory, in no order, until it returns false. 0 or a negated errno.
 * Allocates nothing. */
int rundir_each(const struct home *home, bool (*visit)(uint64_t run_id, void *context), void *context);

/* One of them, or a draft. */
struct rundir_entry {
    uint64_t run_id;
    bool draft;
};

/*
 * Calls visit for directories and drafts from *position on, and for those before it after the last one, until
 * it returns false or about each was visited. Moves *position, which may be any number at first, behind the
 * last that was visited. `few`: that will be very soon.
 */
int rundir_each_from(const struct home *home, uint64_t *position, bool few,
                     bool (*visit)(const struct rundir_entry *entry, void *context), void *context);

/* A directory that this process has locked: nobody else changes its name, or removes it. */
struct rundir {
    int fd; /* -1: none */
    struct rundir_entry entry;
};

/* Makes a draft with a random id. 0 or a negated errno. */
int rundir_create(const struct home *home, struct rundir *dir);

/* Locks an existing one. 0; -EWOULDBLOCK when another process has; -ENOENT when it has gone, or has got
 * another name; or another negated errno. */
int rundir_lock(const struct home *home, const struct rundir_entry *entry, struct rundir *dir);

/* A random id for another run that is to have this directory. 0 or a negated errno. */
int rundir_new_id(uint64_t *run_id);

/* Gives the directory the name of that run, whose files are complete. 0 or a negated errno. */
int rundir_rename(const struct home *home, struct rundir *dir, uint64_t run_id);

/* Gives the lock up. No effect without a directory. */
void rundir_unlock(struct rundir *dir);

/* Removes the directory and all files in it, and gives the lock up. No effect without a directory. */
void rundir_remove(const struct home *home, struct rundir *dir);

#endif
