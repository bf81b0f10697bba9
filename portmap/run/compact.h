/*
 * What a process of a run has to know to join it, in one short text. The private environment variable
 * PORTSHIM_COMPACT carries it from program to program.
 *
 *     2 0123456789abcdef0123456789abcdef r t @/usr/bin/portshim 8080=23456 9000-9010=20000/u ^/tmp/...
 *
 * A version; the secret, which names the head in the run's directory (run/files.h); "r" when real ports are
 * revealed, "l" when there are late placeholders, "s" when the run is strict; "t" below a trap, "o" when the
 * run is to have no trap, and after an "@" the command that starts programs under it; the assignments known
 * at start; and the paths of the heads of the runs around it, each after a "^", from the inside out.
 *
 * The assignments are for processes that cannot open the head: after chroot, or in another mount namespace.
 * They are placeholder=real, as ranges where both sides count up together, /t or /u for one protocol only, ~
 * before an alias (see map_enter_alias()).
 */
#ifndef PORTMAP_RUN_COMPACT_H
#define PORTMAP_RUN_COMPACT_H

#include "run/files.h"

#include <stdbool.h>
#include <stddef.h>

#define COMPACT_VARIABLE "PORTSHIM_COMPACT"

/* Enough for MAP_START_MAX assignments without ranges; the kernel allows 128 KiB for one string. */
enum { COMPACT_SIZE = 100 * 1024 };

/* What a text says about the trap, for programs that the library does not reach. */
struct compact_trap {
    bool is_on;  /* this process may be below one */
    bool is_off; /* the run is to have none */
    /* The absolute path of the command portshim. It need not be terminated; NULL when it is not known. */
    const char *command;
    size_t command_length;
};

/* What a text says besides the assignments. */
struct compact {
    char secret[SECRET_SIZE];
    bool reveal, late, strict;
    struct compact_trap trap; /* its command is a part of the text */
};

/* Writes the text, but for the runs around it. A command whose path is not absolute or has a space is left
 * out. False when it does not fit. */
bool compact_write(const struct map *map, const char *secret, const struct compact_trap *trap, char *buffer,
                   size_t size);

/* Makes the text in buffer[size] say that its process is below a trap. False when it does not fit, or is no
 * text of this version: then nothing was changed. */
bool compact_set_trapped(char *buffer, size_t size);

/* Adds the path of one more head to a text. False when it does not fit. */
bool compact_add_outer(char *buffer, size_t size, const char *path);

/* Called for each assignment, as map_assign() takes it; alias is 0 when there is none. */
typedef void compact_sink(void *to, unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols);

/* Reads the beginning of a text, up to the assignments. False when it is no text of this version. */
bool compact_read_head(const char *text, struct compact *compact);

/* Reads the assignments. False when the text is wrong: the sink may have been called by then. */
bool compact_read(const char *text, compact_sink *sink, void *to);

/* Whether any of the placeholders that a text tells of is one of UDP, or a late one, which may be. */
bool compact_has_datagrams(const char *text);

/* The path of the n-th outer head, from 0, in path[PATH_MAX]. False when there is none. */
bool compact_outer(const char *text, unsigned n, char path[static PATH_MAX]);

#endif
