/*
 * Leased ports that a run still needs although the process they were leased for has died.
 *
 * `portshim run` leases for its first process. That process may end before the run does: a server that goes
 * to the background leaves its first process. The run's user has the port in a lease table of their own, in
 * their home. The port server reads that table, and asks for the lock on the run's head, which every process
 * of the run holds; a process that could not open the head has the port bound. Only root, or a server of the
 * same user, may read there. Nothing of another user's is mapped: its owner may truncate it at any time.
 */
#ifndef PORTMAP_SERVE_KEEP_H
#define PORTMAP_SERVE_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One user's home and lease table, opened for a series of questions about their ports. */
struct serve_keep {
    uid_t uid;
    int home, table; /* -1 when missing or not accessible */
    bool unknown;    /* no descriptor or memory to open the table: every port counts as needed */
    uint64_t run_id; /* the run that was last asked about */
    bool alive;      /* the answer for that run */
    unsigned asked;  /* how many runs were tested so far */
};

/*
 * Opens that user's default home. The user may have put anything there, so no link is followed and no other
 * file system entered: nothing is opened that could block the server.
 */
void serve_keep_open(struct serve_keep *keep, uid_t uid);

/* Whether the user's lease table says that a run has the port. */
bool serve_keep_is_named(const struct serve_keep *keep, unsigned port);

/*
 * Whether the user's lease table says that a run has the port, and a process of that run lives. At every exec
 * a run has no process for a moment: only two answers of false, LIFE_GRACE apart, mean that it is dead.
 */
bool serve_keep_is_needed(struct serve_keep *keep, unsigned port);

void serve_keep_close(struct serve_keep *keep);

/* Calls visit for each user who has a directory in /tmp named as a default home. */
void serve_keep_each_user(void (*visit)(uid_t uid, void *context), void *context);

#endif
