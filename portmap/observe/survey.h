/*
 * A survey: all ports of a run, looked at once from outside, as portshim ls prints them. The map says which
 * they are, the kernel what is on them, /proc whose that is. Looking binds nothing: a server that starts
 * meanwhile gets its port.
 */
#ifndef PORTMAP_OBSERVE_SURVEY_H
#define PORTMAP_OBSERVE_SURVEY_H

#include "lease/home.h"
#include "run/map.h"

#include <stdbool.h>

enum survey_state {
    SURVEY_ASSIGNED, /* no program has bound it */
    SURVEY_BOUND, /* a socket has it: UDP, or TCP that does not listen (yet), which Linux shows from 6.8 on */
    SURVEY_LISTENING, /* TCP listens */
    SURVEY_GONE,      /* it was bound, and is not any more */
};

/* A process that has sockets of a port open. */
struct survey_owner {
    pid_t pid;
    unsigned serves; /* the protocols that it can be talked to by */
};

struct survey_port {
    unsigned placeholder, real, protocols; /* what it is a placeholder for */
    enum survey_state state;
    unsigned used;               /* the protocols that something can be talked to by */
    bool late;                   /* assigned when it was first bound */
    char lease[48];              /* who has the real port in the lease table, for people */
    struct survey_owner *owners; /* ascending; those that this process may look into */
    unsigned owner_count;
};

struct survey {
    uint64_t run_id;
    char path[PATH_MAX];
    struct map *map; /* viewed */
    bool ending;     /* no process is left, but that was so only a moment ago */
    bool elsewhere;  /* in another network namespace: nothing is known of its sockets */
    struct survey_port *ports;
    unsigned port_count;
};

/*
 * Looks at one run; survey_sockets() is to be called next. 0; PORTMAP_EENDED when it is dead; PORTMAP_ENORUN
 * when it is only being made; -ENOMEM; or another code.
 */
int survey_run(struct survey *survey, const struct home *home, uint64_t run_id);

/* All runs of the home that live, at most `most`, oldest first; dead ones are swept, a bounded number. How
 * many. */
int survey_all(struct survey *surveys, unsigned most, const struct home *home);

/*
 * Finds out what is on the ports, and the processes that have it: one look at the kernel's sockets and one
 * through /proc for all of them. 0 or a negated errno.
 */
int survey_sockets(struct survey *surveys, unsigned count);

void survey_end(struct survey *survey);

const char *survey_state_name(enum survey_state state);

/* The run's name, NULL when it has none that a person gave. */
const char *survey_name(const struct survey *survey);

#endif
