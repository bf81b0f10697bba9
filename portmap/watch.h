/*
 * One placeholder of one run, as a command that looks from outside sees it.
 */
#ifndef PORTMAP_WATCH_H
#define PORTMAP_WATCH_H

#include "home.h"
#include "map.h"

#include <limits.h>
#include <stdbool.h>

/* A run that a command looks at without joining it. */
struct watch {
    const struct home *home;
    const char *word; /* RUN as the person wrote it */
    char path[PATH_MAX];
    uint64_t run_id;
    struct map *map; /* NULL while there is no such run */
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

/* Whether the run, found before, still has a process. */
bool watch_is_alive(const struct watch *watch);

/*
 * Whether anything listens for a placeholder: a TCP socket in LISTEN, or a bound UDP socket, on its real
 * port, for the protocols asked for. 1 or 0, or a negated errno. diag is sockdiag_open()'s descriptor.
 */
int watch_is_listening(const struct watch *watch, int diag, unsigned placeholder, unsigned protocols);

#endif
