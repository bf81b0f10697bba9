/*
 * A survey: one look at all ports of a run from outside, for `portshim ls`. The map lists the ports, the
 * kernel the sockets on them, and /proc the processes that have these. A survey binds nothing, so a server
 * that starts meanwhile gets its port.
 */
#ifndef PORTMAP_OBSERVE_SURVEY_H
#define PORTMAP_OBSERVE_SURVEY_H

#include "lease/home.h"
#include "run/files.h"

#include <stdbool.h>

enum survey_state {
    SURVEY_ASSIGNED,  /* no program has bound it */
    SURVEY_BOUND,     /* a UDP socket has it, or a TCP socket that does not listen (seen since Linux 6.8) */
    SURVEY_LISTENING, /* a TCP socket listens on it */
    SURVEY_GONE,      /* it was bound, and is not any more */
};

/* A process that has sockets of a port open. */
struct survey_owner {
    pid_t pid;
    unsigned serves; /* the protocols by which clients can reach it */
};

struct survey_port {
    unsigned placeholder, real, protocols; /* protocols: those that the placeholder stands for */
    enum survey_state state;
    unsigned used;               /* the protocols by which clients can reach a socket on it */
    bool late;                   /* assigned when it was first bound */
    char lease[48];              /* who has the real port in the lease table, as text */
    struct survey_owner *owners; /* by ascending pid; only processes that we may look into */
    unsigned owner_count;
};

struct survey {
    uint64_t run_id;
    char path[PATH_MAX];
    struct map map; /* of files_open() */
    bool ending;    /* no process is left, but for less than LIFE_GRACE */
    bool elsewhere; /* in another network namespace: its sockets cannot be seen */
    struct survey_port *ports;
    unsigned port_count;
};

/*
 * Reads one run's map; call survey_sockets() next. Returns 0, PORTMAP_EENDED when the run is dead,
 * PORTMAP_ENORUN when it is still being made, -ENOMEM, or another code.
 */
int survey_run(struct survey *survey, const struct home *home, uint64_t run_id);

/* The same for all living runs of the home, oldest first, at most `most`; `dying`: also for those that may
 * turn out to have ended. Returns how many. Sweeps some dead runs before. Calls unread() for each run that is
 * not known to be dead and cannot be read, with the error. */
int survey_all(struct survey *surveys, unsigned most, const struct home *home, bool dying,
               void (*unread)(uint64_t run_id, int error));

/*
 * Finds the sockets on the ports of all these surveys, and the processes that have them, by one list of the
 * kernel's sockets and one pass through /proc. Returns 0 or a negated errno.
 */
int survey_sockets(struct survey *surveys, unsigned count);

void survey_end(struct survey *survey);

/* The state of a port of the run, in a word. */
const char *survey_state_name(const struct survey *survey, const struct survey_port *port);

/* The age of a run in nanoseconds, at a time of process_clock(). 0 for a run that an earlier boot has left,
 * as the clock starts anew at boot. */
uint64_t survey_age(const struct map *map, uint64_t now);

/* The name that a person gave the run, or NULL. */
const char *survey_name(const struct survey *survey);

#endif
