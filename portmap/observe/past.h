/*
 * Ended runs, for people: which of them a word means, how they ended, and why nothing listened in them as it
 * should. The last question can also be asked of a living run, by what ended_describe() says of it.
 */
#ifndef PORTMAP_OBSERVE_PAST_H
#define PORTMAP_OBSERVE_PAST_H

#include "observe/unwrapped.h"
#include "run/ended.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads the records of ended runs: all, or those that a word means by their name, directory or map file, or
 * by the absolute path of the directory in which they were started. The latest is first. Returns how many. */
unsigned past_runs(const struct home *home, const char *word, struct ended records[static ENDED_RECORDS]);

/* The latest one that a word means; false when there is none. */
bool past_last(const struct home *home, const char *word, struct ended *last);

/* The one with this id. */
bool past_run(const struct home *home, uint64_t run_id, struct ended *found);

/* Writes how long ago a date was, such as "3 s" or "2 h". */
void past_age(uint64_t date, char *age, size_t size);

/* Writes when the run ended and with what: "ended 3 s ago with 127", "was found ended 2 h ago". */
void past_tell(const struct ended *ended, char *text, size_t size);

/* Writes its status: "127", "signal 9"; or "" when it is not known. */
void past_status(const struct ended *ended, char *text, size_t size);

/* Whether it has had a program that could not be wrapped, number i from 0. */
bool past_unwrapped(const struct ended *ended, unsigned i, struct unwrapped *unwrapped);

/* Why nothing listens where it should, as far as the run's programs have shown it, and what helps. */
struct past_cause {
    char why[512], remedy[192];
};

/* False when they have not. */
bool past_cause(const struct ended *ended, struct past_cause *cause);

#endif
