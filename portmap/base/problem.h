/*
 * A failure of portshim, told by one line on stderr: "portshim: what: why: what to do".
 */
#ifndef PORTMAP_BASE_PROBLEM_H
#define PORTMAP_BASE_PROBLEM_H

#include "base/text.h"

#include <limits.h>

struct problem {
    char what[PATH_MAX + 128]; /* complete, unless its subject is longer than any path */
    const char *why, *remedy;  /* static strings */
};

/* Fills in *problem. Returns its `what` as a text that the caller may append to. */
struct text problem_of(struct problem *problem, const char *what, const char *why, const char *remedy);

/* Appends a word that a user wrote; one that is longer than 63 bytes ends in "...". */
void problem_add_word(struct text *what, const char *word, size_t len);

/*
 * Makes the line, with `kind` before `what`, in buffer[size], which must have room for everything but `what`:
 * a `what` that does not fit ends in "...". Returns its length, with the newline at its end.
 * Async-signal-safe.
 */
size_t problem_line(char *buffer, size_t size, const char *kind, const char *what, const char *why,
                    const char *remedy);

/* Makes the line and writes it to stderr: by one write(2), so that the lines of many programs that fail at
 * once do not mix. */
void problem_write(char *buffer, size_t size, const char *kind, const char *what, const char *why,
                   const char *remedy);

#endif
