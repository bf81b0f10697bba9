/*
 * Watching one run from outside. `portshim wait` waits until the run appears, until it ends, or until
 * something listens on a placeholder; `portshim port` and `env` look once.
 */
#ifndef PORTMAP_OBSERVE_WATCH_H
#define PORTMAP_OBSERVE_WATCH_H

#include "lease/home.h"
#include "run/files.h"

#include <limits.h>
#include <stdbool.h>

#define WATCH_PAUSE UINT64_C(20000000) /* nanoseconds */

/* A run that a command looks at without joining it. */
struct watch {
    const struct home *home;
    const char *word; /* RUN as the user wrote it */
    char path[PATH_MAX];
    uint64_t run_id;
    struct map *map; /* NULL until the run is found */
    struct map opened;
    uint64_t deserted; /* process_clock() when no process was found in the run or about to join, else 0 */
};

/*
 * Looks for the run. Returns 0 when it is alive; PORTMAP_ENORUN or PORTMAP_EENDED when it is not, or not yet:
 * a map file may still name the dead run of last time; or another code of error.h.
 */
int watch_find(struct watch *watch);

/*
 * Keeps a run that was found from ending, so that its files stay its own while they are read: 0; or
 * PORTMAP_EENDED, and what was read before may have been another run's, which has taken them over.
 */
int watch_stay(struct watch *watch);

/*
 * Does for the run what its own processes cannot: writes late assignments into the map files, and fills the
 * stock of ports for more of them. Ignores errors: the next command tries again.
 */
void watch_look_after(const struct watch *watch);

/*
 * Whether a run that was found still has a process. It has none when it was without one for LIFE_GRACE; or,
 * sooner, when two looks WATCH_PAUSE apart found no process in it and none about to join, which would have
 * the run in its environment.
 */
bool watch_is_alive(struct watch *watch);

/*
 * Whether a listening TCP socket or a bound UDP socket, as `protocols` asks, is on the placeholder's real
 * port. Returns 1, 0, or a negated errno. diag is a descriptor of sockdiag_open().
 */
int watch_is_listening(const struct watch *watch, int diag, unsigned placeholder, unsigned protocols);

#endif
