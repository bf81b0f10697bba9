/*
 * What a user may have meant: the known word that a wrong one is nearest to, and the command line to write
 * instead.
 */
#ifndef PORTMAP_COMMAND_SPELLING_H
#define PORTMAP_COMMAND_SPELLING_H

#include "base/text.h"

/*
 * How many letters have to be inserted, left out, replaced or exchanged with their neighbour to make one word
 * of the other; upper and lower case are the same. SPELLING_FAR when either has more than SPELLING_LONGEST
 * letters.
 */
enum { SPELLING_LONGEST = 31, SPELLING_FAR = 1000 };
unsigned spelling_distance(const char *one, const char *other);

/* A search for the known word that is nearest to a wrong one. */
struct spelling {
    const char *word;    /* the wrong one, set by the caller */
    const char *nearest; /* NULL as long as none is near */
    unsigned distance;   /* of that */
};

/* Tries a known word. It is near when a third of its letters is wrong at most, but one may always be; of two
 * that are equally near, the first is kept. */
void spelling_try(struct spelling *spelling, const char *known);

/* Appends a word to a line for the shell: after a blank, and in quotes where the shell would change it. */
void spelling_add_word(struct text *line, const char *word);

/* The same for all words up to the NULL. */
void spelling_add_words(struct text *line, char *const *words);

#endif
