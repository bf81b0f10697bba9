/*
 * What is wrong, and what to do: a failure of portshim is one line on stderr, "portshim: what: why: what to
 * do".
 */
#ifndef PORTMAP_BASE_PROBLEM_H
#define PORTMAP_BASE_PROBLEM_H

#include "base/text.h"

#include <limits.h>

struct problem {
    char what[PATH_MAX + 128]; /* whole, but for a subject that is longer than any path */
    const char *why, *remedy;  /* constants */
};

/* Fills it in. The text is its `what`, for more to be added to. */
struct text problem_of(struct problem *problem, const char *what, const char *why, const char *remedy);

/* Adds a word that somebody wrote; a long one ends in "...". */
void problem_add_word(struct text *what, const char *word, size_t len);

/*
 * Writes the line, `kind` in front of it, by one write(2): those of many programs that fail at once must not
 * mix. It is made in buffer[size], which has room for all but `what`: of a longer one the end is "...".
 */
void problem_write(char *buffer, size_t size, const char *kind, const char *what, const char *why,
                   const char *remedy);

#endif
