/*
 * The words about a run: what people are told, and paths on which commands act. Only the run's owner can read
 * and write them; no process of the run has them in its memory.
 *
 * KEY=VALUE texts, each terminated, in a file. The first says what file this is.
 */
#ifndef PORTMAP_RUN_TEXTS_H
#define PORTMAP_RUN_TEXTS_H

#include "run/map.h"

#include <limits.h>

enum { TEXTS_MAX = 32768 + 2 * PATH_MAX }; /* bytes */

enum text_key {
    TEXT_RUN,       /* the run's id in hexadecimal; the first */
    TEXT_SECRET,    /* see run/files.h; the second */
    TEXT_COMMAND,   /* the command, for people */
    TEXT_NAME,      /* any number: see name_given() */
    TEXT_OUTER,     /* the directory of the run around it */
    TEXT_AROUND,    /* the paths of the heads of all runs around it, from the inside out; any number */
    TEXT_FILE,      /* a map file to publish; any number */
    TEXT_DIRECTORY, /* the working directory in which it was started */
    TEXT_KEY,       /* see lease/key.h */
};

/* Texts that are being put together. */
struct texts {
    size_t size;
    char bytes[TEXTS_MAX];
};

/* Begins the texts of a run. */
void texts_begin(struct texts *texts, uint64_t run_id, const char *secret);

/* Adds one; false when it does not fit. */
bool texts_add(struct texts *texts, enum text_key key, const char *value);

/* Writes the texts to their file in the run's directory, over what is there. The map takes them from `texts`,
 * which stays. 0 or a negated errno. */
int texts_write(const struct texts *texts, struct map *map, int run_dir);

/* Adds one more to those that were written: for a reader, it is there whole or not at all. 0,
 * PORTMAP_ETOOMANY when it does not fit, or a negated errno. */
int texts_append(struct texts *texts, struct map *map, const char *run, enum text_key key, const char *value);

/* Maps the texts of a run, whose directory is a path relative to `dir`. 0 or an error as of files_open(). */
int texts_open(struct map *map, int dir, const char *run);

/* Forgets them. */
void texts_close(struct map *map);

/* The value of the n-th text (from 0) with this key; NULL when there is none, or this process has none. */
const char *texts_get(const struct map *map, enum text_key key, unsigned n);

#endif
