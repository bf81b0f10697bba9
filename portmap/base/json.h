/*
 * Writing JSON (RFC 8259) to a stream.
 */
#ifndef PORTMAP_BASE_JSON_H
#define PORTMAP_BASE_JSON_H

#include <stdio.h>

/* Writes a string in quotes. Bytes that are not UTF-8 become U+FFFD. A NULL pointer is written as null. */
void json_string(FILE *out, const char *text);

/* To be called before each element of an array: writes the separator, but not before the first one. *count is
 * 0 before that, and is increased. */
void json_separate(FILE *out, unsigned *count, const char *separator);

#endif
