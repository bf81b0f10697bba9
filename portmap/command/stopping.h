/*
 * Ending runs: a signal to each of their processes, until none is left.
 */
#ifndef PORTMAP_COMMAND_STOPPING_H
#define PORTMAP_COMMAND_STOPPING_H

#include "observe/members.h"
#include "run/rundir.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* A run that is to end. */
struct stopping_run {
    const char *word; /* RUN as the user wrote it; for a run inside of another one, the word of that */
    uint64_t run_id;
    char path[PATH_MAX];
    struct map map;
    bool was_seen; /* a process of it was found */
    bool is_over;
    bool is_ours;            /* it goes on, as an ancestor of this process is in it */
    pid_t killed_supervisor; /* of programs that were not found; 0: none */
};

enum {
    STOPPING_WATCHED = 32,
    STOPPING_SPARE = 8, /* descriptors that are left for looking at processes, beside those of the watched */
};

/* Begin with all bytes zero but the first four. */
struct stopping {
    const struct home *home;
    int signal;        /* what each process gets, once */
    uint64_t deadline; /* process_clock() from when on each gets SIGKILL */
    bool verbose;      /* say on stderr who gets what */

    struct stopping_run *runs;
    unsigned count;
    struct members members; /* the index of a member's run is that in runs[] */

    bool is_late; /* the deadline is over */
    unsigned late_looks;
    uint64_t empty; /* process_clock() at the first look in turn that found no program; else 0 */
    uint64_t last_kill;
    unsigned programs, standing_by, spared; /* members, by the last look */
    int watched[STOPPING_WATCHED];          /* pidfds of members */
    unsigned watched_count;
};

/* Adds a run. 0, also when it has ended, or was added before; or a code of error.h. */
int stopping_add(struct stopping *stopping, const char *word, uint64_t run_id);

/*
 * Ends all runs, and those inside of them, and clears up what is left of them. False when one is neither over
 * nor ours, long after the deadline: then stopping->members has who is left of it.
 */
bool stopping_all(struct stopping *stopping);

typedef bool stopping_holder(struct stopping *stopping, unsigned number, pid_t pid, unsigned real);

/* Calls found() for each process, spared ones excepted, that has a socket on a real port that runs[number]
 * has leased. Returns how often it returned true. */
unsigned stopping_each_holder(struct stopping *stopping, unsigned number, stopping_holder *found);

#endif
