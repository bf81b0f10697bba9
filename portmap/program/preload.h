/*
 * The list in LD_PRELOAD (ld.so(8)): paths separated by spaces or colons.
 */
#ifndef PORTMAP_PROGRAM_PRELOAD_H
#define PORTMAP_PROGRAM_PRELOAD_H

#include "base/text.h"

#include <stdbool.h>

/* Whether the list has this very path in it. */
bool preload_lists(const char *list, const char *library);

/*
 * Appends the list with `library` in it once: first, or after the runtimes of sanitizers, which refuse to run
 * unless they come first. Other items keep their order; `library` itself and `alias`, another path to the
 * same file, are left out of them. Writes at most strlen(library) + 1 + strlen(list) bytes.
 */
void preload_write(struct text *t, const char *library, const char *alias, const char *list);

/*
 * Appends the list without `library`, and without any libportshim.so: of a program that could not load that,
 * ld.so would complain or end it. Writes at most strlen(list) bytes.
 */
void preload_write_without(struct text *t, const char *library, const char *list);

#endif
