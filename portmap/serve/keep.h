/*
 * Ports of the server that a run still needs although the process they were leased for has died.
 *
 * portshim run leases for its first process, which may be gone while the run lives on (a server that goes to
 * the background). The run's own user has the port in a lease table, which is told apart from the server's by
 * its home: the server looks there, and at the run's map, whose lock every process of the run holds. Only
 * root, or a server of the same user, may look.
 */
#ifndef PORTMAP_SERVE_KEEP_H
#define PORTMAP_SERVE_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What one user has, while one question after the other is asked about it. */
struct serve_keep {
    uid_t uid;
    int home, table; /* -1 when there is none, or it may not be looked at */
    bool unknown;    /* for want of a descriptor or of memory: then every port is one that a run needs */
    uint64_t run_id; /* that was asked about last */
    bool alive;      /* and the answer */
    unsigned asked;  /* how many answers had to be looked for */
};

/*
 * Opens that user's default home. What the user put there is trusted with nothing but the answer below: no
 * link is followed and no other file system entered, so nothing that blocks is opened.
 */
void serve_keep_open(struct serve_keep *keep, uid_t uid);

/* Whether the lease table there says that a run has the port. */
bool serve_keep_is_named(const struct serve_keep *keep, unsigned port);

/*
 * Whether it says so, and a process of the run lives. A run is between two processes for a moment at every
 * exec: false means dead when said twice, with LIFE_GRACE in between.
 */
bool serve_keep_is_needed(struct serve_keep *keep, unsigned port);

void serve_keep_close(struct serve_keep *keep);

/* Calls visit for each user who seems to have a default home. */
void serve_keep_each_user(void (*visit)(uid_t uid, void *context), void *context);

#endif
