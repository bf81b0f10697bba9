/*
 * The assignments of a run in one short text, for processes that cannot open its map: after chroot, under
 * another uid, in another mount namespace. The private environment variable PORTSHIM_COMPACT carries it.
 *
 *     1 r 8080=23456 9000-9010=20000/u 56379=20011~20012
 *
 * A version, "r" when real ports are revealed, then the assignments known at start: placeholder=real, as
 * ranges where both sides count up together, /t or /u for one protocol only, ~ before an alias (see
 * map_enter_alias()).
 */
#ifndef PORTMAP_RUN_COMPACT_H
#define PORTMAP_RUN_COMPACT_H

#include "run/map.h"

#include <stdbool.h>
#include <stddef.h>

#define COMPACT_VARIABLE "PORTSHIM_COMPACT"

/* Enough for MAP_START_MAX assignments without ranges; the kernel allows 128 KiB for one string. */
enum { COMPACT_SIZE = 100 * 1024 };

/* Writes the text; false when it does not fit. */
bool compact_write(const struct map *map, char *buffer, size_t size);

/* Called for each assignment, as map_assign() takes it; alias is 0 when there is none. */
typedef void compact_sink(void *to, unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols);

/* Reads a text of compact_write(). False when it is none: the sink may have been called by then. */
bool compact_read(const char *text, compact_sink *sink, void *to, bool *reveal);

#endif
