/*
 * Why somebody still waits for a run, or for something that listens in it, in words: what is known, and what
 * helps.
 */
#ifndef PORTMAP_OBSERVE_LACK_H
#define PORTMAP_OBSERVE_LACK_H

#include "observe/watch.h"
#include "run/ended.h"

#include <stdbool.h>
#include <stddef.h>

struct lack {
    char why[1024], remedy[320];
};

/* No run lives that watch->word means: `error` is what watch_find() has returned. */
void lack_of_run(struct lack *lack, const struct watch *watch, int error);

/* The word means a run that this user cannot wait for here: PORTMAP_EFOREIGN. */
void lack_of_right(struct lack *lack, const char *word);

/* Whether the word is an empty file, as mktemp(1) makes it: a run may write its map there. */
bool lack_is_empty_file(const char *word);

/*
 * Nothing listens on what `ports` lists, a valid specification, in the run that was found. In full: looks at
 * all sockets and processes of the host; else only at what the run's programs have noted. Returns whether
 * something is known that explains it.
 */
bool lack_of_listener(struct lack *lack, const struct watch *watch, const char *ports, bool in_full);

/* The run has ended while it was waited for: the one that was found, or one that nobody has found, but of
 * which there is a record. */
void lack_of_life(struct lack *lack, const struct watch *watch);
void lack_of_start(struct lack *lack, const struct ended *run);

/* The port is no placeholder of the run that was found. */
void lack_of_placeholder(struct lack *lack, const struct map *map, unsigned port);

/* The last run that the word means, and that has ended. */
struct lack_last {
    bool is_new;      /* it was made after `since`, process_date() */
    bool is_only;     /* the word is its directory or id, which no other run will have */
    struct ended run; /* in these cases */
    char text[256];
};

/* Tells of it: "the last run of that name ended 3 s ago with 127". `error` as above. False: there is none. */
bool lack_last_run(struct lack_last *last, const struct watch *watch, int error, uint64_t since);

#endif
