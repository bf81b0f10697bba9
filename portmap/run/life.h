/*
 * Whether a run is alive. run/sweep.h clears up when it is not.
 *
 * A run is alive while any process has its map mapped, and with it the lock, or the process that started it
 * lives. Exec drops the mapping, and the new program maps it again a moment later: so a run counts as dead
 * only when it was found without processes twice, LIFE_GRACE apart. A starter in another pid namespace is not
 * judged by its pid. Boots are not compared: containers may have boot ids of their own, and the locks and
 * processes of an earlier boot are gone.
 */
#ifndef PORTMAP_RUN_LIFE_H
#define PORTMAP_RUN_LIFE_H

#include "lease/home.h"
#include "run/files.h"

#include <stdint.h>

#define LIFE_GRACE UINT64_C(2000000000) /* nanoseconds */

enum run_state {
    RUN_ALIVE, /* also when that is unknown: only what is known to be dead is cleared up */
    RUN_DYING, /* has no process, but not long enough to be sure */
    RUN_DEAD,
    RUN_GONE, /* there is no such run directory */
};

/* The state of a run of this home. LIFE_GRACE begins with the first call that finds no process. */
enum run_state life_of(const struct home *home, uint64_t run_id);

/* The same, but waits while the run is dying: never RUN_DYING. */
enum run_state life_settled(const struct home *home, uint64_t run_id);

/* A look at one run. If it is dead, nobody can join it any more. */
struct life_look {
    uint64_t run_id;
    struct map map; /* map.head is NULL when it has none that can be read */
    enum run_state state;
};

struct life_look life_look(const struct home *home, uint64_t run_id);
void life_look_away(struct life_look *look);

#endif
