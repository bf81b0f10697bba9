/*
 * Watching one run from outside, until it is there, lives no more, or something listens on a placeholder: for
 * portshim wait. port and env look once.
 */
#ifndef PORTMAP_OBSERVE_WATCH_H
#define PORTMAP_OBSERVE_WATCH_H

#include "lease/home.h"
#include "run/map.h"

#include <limits.h>
#include <stdbool.h>

#define WATCH_PAUSE UINT64_C(20000000) /* nanoseconds */

/* A run that a command looks at without joining it. */
struct watch {
    const struct home *home;
    const char *word; /* RUN as the person wrote it */
    char path[PATH_MAX];
    uint64_t run_id;
    struct map *map;   /* NULL while there is no such run */
    uint64_t deserted; /* process_clock() when nobody was found to be in the run or to join it, else 0 */
};

/*
 * Looks for the run: 0 when it is there and alive, PORTMAP_ENORUN or PORTMAP_EENDED when it is not (yet: last
 * time's map file names a dead one), or another code of error.h.
 */
int watch_find(struct watch *watch);

/*
 * What a command does for a run it looks at, as no process of the run can: late assignments go into the map
 * files, and the stock for more of them is filled. Errors are nobody's: the next command tries again.
 */
void watch_look_after(const struct watch *watch);

/*
 * Whether the run, found before, still has a process. What has been without one for LIFE_GRACE has none;
 * sooner, what was twice found so, WATCH_PAUSE apart, when no process of this host is about to join: none has
 * the run in its environment.
 */
bool watch_is_alive(struct watch *watch);

/*
 * Whether anything listens for a placeholder: a TCP socket in LISTEN, or a bound UDP socket, on its real
 * port, for the protocols asked for. 1 or 0, or a negated errno. diag is sockdiag_open()'s descriptor.
 */
int watch_is_listening(const struct watch *watch, int diag, unsigned placeholder, unsigned protocols);

#endif
