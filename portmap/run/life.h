/*
 * Whether a run is alive. sweep.h is what is done when it is not.
 *
 * A run is alive while any process has its map mapped (and so holds its lock), or the process that started it
 * lives. Exec drops a mapping and the new program takes it again a moment later, so a run counts as dead only
 * when it was found without any process twice, LIFE_GRACE apart. A starter in another pid namespace is
 * not judged by its pid. Which boot the run is of is not asked: containers may have boot ids of their own,
 * and the locks and processes of an earlier boot are gone.
 */
#ifndef PORTMAP_RUN_LIFE_H
#define PORTMAP_RUN_LIFE_H

#include "lease/home.h"
#include "run/map.h"

#include <stdint.h>

#define LIFE_GRACE UINT64_C(2000000000) /* nanoseconds */

enum run_state {
    RUN_ALIVE, /* also when it cannot be looked at: only what is known to be dead is cleared up */
    RUN_DYING, /* no process, but not long enough to be sure */
    RUN_DEAD,
    RUN_GONE, /* there is no such run directory */
};

/* The state of a run of this home. A dying run's clock starts with the first call. */
enum run_state life_of(const struct home *home, uint64_t run_id);

/* The same, when a dying run has been waited for: never RUN_DYING. */
enum run_state life_settled(const struct home *home, uint64_t run_id);

/* A look at one run. While one at a dead run lasts, its locks keep others from joining it, and from judging
 * it. */
struct life_look {
    uint64_t run_id;
    struct map *map; /* NULL when there is no usable one */
    int fd;          /* of the map file; holds the locks when state is RUN_DEAD */
    enum run_state state;
};

struct life_look life_look(const struct home *home, uint64_t run_id);
void life_look_away(struct life_look *look);

#endif
