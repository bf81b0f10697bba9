/*
 * The list in LD_PRELOAD (ld.so(8)): paths separated by spaces or colons.
 */
#ifndef PORTMAP_PROGRAM_PRELOAD_H
#define PORTMAP_PROGRAM_PRELOAD_H

#include "base/text.h"

#include <stdbool.h>

/* Whether the list has this very path. */
bool preload_lists(const char *list, const char *library);

/*
 * Appends the list with the library in its place: first, or behind a sanitizer's runtime, which refuses to
 * run unless it is first itself. Other items keep their order; `library` and `alias`, another path to the
 * same file, are not written twice. The text takes at most strlen(library) + 1 + strlen(list) bytes.
 */
void preload_write(struct text *t, const char *library, const char *alias, const char *list);

#endif
