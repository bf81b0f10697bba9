/*
 * The files of a run, in its directory HOME/runs/ID:
 *
 *     texts        0600  words: the secret, the command, names, map files (run/texts.h)
 *     map          0600  the notes
 *     SECRET       0644  the head. Every process of the run keeps it mapped, and with it a shared lock
 *     SECRET.late  0666  the late tables, if any
 *
 * SECRET is 128 random bits in hexadecimal. The run's processes are told it by a private variable
 * (run/compact.h), so that they can open the head under any user id; its owner reads it from the texts. The
 * directories can be passed through by everybody and listed by their owner alone.
 *
 * All files are allocated before anyone maps them: a store into a hole is SIGBUS when the disk is full.
 *
 * The lock is an "open file description lock" (fcntl(2)), a read lock on a descriptor that can only read. The
 * kernel keeps it as long as a mapping of that open file: through fork, closing of all descriptors, chroot
 * and setuid. Nobody takes a write lock: whether there are read locks can be asked (run/life.h).
 */
#ifndef PORTMAP_RUN_FILES_H
#define PORTMAP_RUN_FILES_H

#include "run/map.h"

enum { SECRET_SIZE = 33 }; /* 32 digits and a terminator */

/* A new secret. 0 or a negated errno. */
int files_secret(char secret[static SECRET_SIZE]);

/* What kind of run the files are for. */
struct files_kind {
    bool late, discover;
    uint32_t pid_namespace, net_namespace; /* this process's, where they are known already; else 0 */
};

/*
 * Makes the head, the notes and the late tables in a directory, over what is there of them, and maps them to
 * be written, with the lock as for a process of the run. Fills in the fields about the run from this process;
 * `ready` is unset, and nobody can find the run before the texts are there (texts_write()). 0 or a negated
 * errno.
 */
int files_create(struct map *map, int run_dir, uint64_t run_id, const char *secret, struct files_kind kind);

/*
 * Whether nobody has the head or the notes of a dead run open, or mapped: only then they may become another
 * run's. A process that has become another user can have left the run and kept them. False where that cannot
 * be told. Who has opened the head with O_PATH is not noticed: he can read it later, and take its lock.
 */
bool files_are_free(int run_dir, const char *secret);

/* Whether a mapping of an open file keeps its lock. On overlayfs, which most containers have below /tmp, it
 * is a mapping of another file below, and the lock goes with the descriptor. */
bool files_keep_locks(int fd);

/*
 * Opens all files of a run of this user to be written, by its directory, a path relative to `dir`. Takes no
 * lock. 0; PORTMAP_ETORN when they are not files of this version; -ENODATA when nothing was written to one,
 * as after a power cut; PORTMAP_EFOREIGN when one is not a regular file of this user; -ENOENT when there is
 * no such run; or another negated errno.
 */
int files_open(struct map *map, int dir, const char *run);

/*
 * Joins a run as one of its processes: opens what this process may open, read-only where that is enough, and
 * takes the lock, for which it never waits. If another process is just deciding whether the run is over, it
 * looks again for FILES_DECIDE at most. `path` is that of the head, RUN/SECRET. 0; PORTMAP_EENDED;
 * PORTMAP_ETORN; PORTMAP_EUNDECIDED, with *judge the process that has not decided; or a negated errno.
 */
int files_join(struct map *map, const char *path, int *judge);

#define FILES_DECIDE UINT64_C(1000000000) /* nanoseconds */

/* The same by the run's directory, for a process of its owner that was not told the secret. `path` gets the
 * path of the head. */
int files_join_own(struct map *map, const char *run, char path[static PATH_MAX], int *judge);

/* Takes the lock of a process of the run for a map of files_open(). 0; PORTMAP_EENDED; PORTMAP_EUNDECIDED. */
int files_stay(struct map *map);

/* Whether this is a head of this version: 0, PORTMAP_ETORN or -ENODATA as above. */
int files_check_head(const struct map_head *head);

/* Closes and unmaps everything, and gives the lock up. */
void files_close(struct map *map);

#endif
