/*
 * UTF-8 (RFC 3629): printing names and command lines that somebody else wrote.
 */
#ifndef PORTMAP_BASE_UTF8_H
#define PORTMAP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length in bytes of the well-formed character at s, a terminated string; 0 when there is none. */
size_t utf8_sequence(const char *s);

/* Whether the well-formed character at s is one that a terminal obeys instead of showing it. */
bool utf8_is_control(const char *s);

/*
 * Makes a text printable on one line of a terminal, in place: control characters and bytes that are not UTF-8
 * become "?", blanks at the end go. A line of more than `width` columns is cut there and ends in ">"; width 0
 * means no limit. A character that may be two columns wide counts as two.
 */
void utf8_fit(char *text, unsigned width);

/* The same for each line of a text, without a limit. */
void utf8_fit_lines(char *text);

#endif
