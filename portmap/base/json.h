/*
 * Writing JSON (RFC 8259) to a stream, a value at a time.
 */
#ifndef PORTMAP_BASE_JSON_H
#define PORTMAP_BASE_JSON_H

#include <stdio.h>

/* A string in its quotes. Bytes that are no UTF-8 become U+FFFD. NULL is null. */
void json_string(FILE *out, const char *text);

#endif
