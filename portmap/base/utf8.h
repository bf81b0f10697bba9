/*
 * UTF-8 (RFC 3629), as far as names and command lines that somebody else wrote are printed.
 */
#ifndef PORTMAP_BASE_UTF8_H
#define PORTMAP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the well-formed sequence at s, which is terminated; 0 when there is none. */
size_t utf8_sequence(const char *s);

/* Whether the well-formed sequence at s is one that a terminal obeys, instead of showing it. */
bool utf8_is_control(const char *s);

/*
 * Makes text fit for one line of a terminal, in place: control characters and what is no UTF-8 become "?".
 * A line that takes more than `width` columns is cut there, with ">" at its end; 0 is any width. A character
 * counts as two columns where it may be that wide. Blanks at the end go.
 */
void utf8_fit(char *text, unsigned width);

/* The same for a text of lines, of any width. */
void utf8_fit_lines(char *text);

#endif
