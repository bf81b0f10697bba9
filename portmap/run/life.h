/*
 * Whether a run is alive. run/sweep.h clears up when it is not.
 *
 * A run is alive while a process has its head mapped, and with it the lock; or the process that started it
 * lives; or a process of whatever kind has a socket with one of its leased ports, as it may be one that could
 * not open the head, or whose lock the file system has not kept. Exec drops the mapping, and the new program
 * maps it again a moment later: so a run in which a program was executed counts as dead only when it was
 * found without processes twice, LIFE_GRACE apart. A starter in another pid namespace is not judged by its
 * pid, and may be just executing one. Boots are not compared: containers may have boot ids of their own, and
 * the locks and processes of an earlier boot are gone.
 *
 * A judge asks for locks and takes none, so it is in nobody's way, nor is another judge. It first says in the
 * life word that it is deciding, and asks once more: a process that takes its lock before that is seen, and
 * one that takes it later sees that word and waits for the decision. A judge that is stopped in between, or
 * killed, is passed over by the next one.
 */
#ifndef PORTMAP_RUN_LIFE_H
#define PORTMAP_RUN_LIFE_H

#include "host/held.h"
#include "lease/home.h"
#include "run/files.h"
#include "run/map.h"

#include <stdint.h>

#define LIFE_GRACE UINT64_C(2000000000) /* nanoseconds */

enum run_state {
    RUN_ALIVE, /* also when that is unknown: only what is known to be dead is cleared up */
    RUN_DYING, /* has no process, but not long enough to be sure */
    RUN_DEAD,  /* for ever */
    RUN_GONE,  /* there is no such run directory */
};

/* The state of a run of this home. LIFE_GRACE begins with the first call that finds no process. */
enum run_state life_of(const struct home *home, uint64_t run_id);

/* The same, but waits while the run is dying: never RUN_DYING. */
enum run_state life_settled(const struct home *home, uint64_t run_id);

/* The process that has started a living run. */
enum life_starter {
    STARTER_LIVES, /* also when that is unknown */
    STARTER_ENDING,
    STARTER_ENDED
};

enum life_starter life_starter(const struct home *home, uint64_t run_id);

/* What is in a run's directory. */
enum life_files {
    LIFE_WHOLE,  /* a head of this run */
    LIFE_ELDER,  /* the files of a version that this one knows: run/elder.h */
    LIFE_BROKEN, /* nothing that could be a run: it is being taken over, or files are missing */
    LIFE_OTHER,  /* what this version does not know, or cannot open */
};

/* A look at one run. */
struct life_look {
    uint64_t run_id;
    enum run_state state;
    enum life_files files;
    char secret[SECRET_SIZE]; /* the name of the head, if there is one */
    /* When the run is dying or dead, and whole: */
    int fd;         /* of the head; else -1 */
    struct map map; /* of which only the head is set */
    size_t size;    /* of the head */
};

/* Who looks, and what it has seen already, for looks at many runs. Begin with all bytes zero. */
struct life_judge {
    bool placed; /* the namespaces are set */
    uint32_t pid_namespace, net_namespace;
    struct held held;
};

/* Looks at a run, and decides if it can be decided. */
struct life_look life_look(const struct home *home, uint64_t run_id, struct life_judge *judge);
void life_look_away(struct life_look *look);

/* Whether a run is over when it is first found without processes, and not two seconds later: as long as none
 * of them executes a program. Costs much less than a look. */
bool life_ends_at_once(const struct home *home, uint64_t run_id);

/* The ports that a run has leased, by its head. Returns how many. */
unsigned life_ports(const struct life_look *look, struct portbits *ports);

/* Whether a head that this process has opened before is still that of the run. When the run has ended,
 * another may have taken its files over: then nothing that was read from them since is the run's. */
bool life_has_head(const struct map *map, uint64_t run_id);

/* Whether a process is in the run, as far as that can be seen; true also when that is unknown. For its
 * starter, who has closed its map. */
bool life_has_processes(const struct home *home, uint64_t run_id);

/* Ends a run that is not needed, before its processes do: nobody joins it any more. */
void life_end(struct map *map);

/* Reads the id and the secret of a run from an open file of texts. 0; -ENODATA when it has none, as it was
 * not written to its end; PORTMAP_ETORN when it is something else. */
int life_read_texts(int fd, uint64_t *run_id, char secret[static SECRET_SIZE]);

/* Whether a process has the lock of an open head. */
bool life_is_locked(int fd);

#endif
