/*
 * Whether a libc is new enough for the library: ld.so starts no program where one of the symbol versions that
 * a preloaded library needs is missing (https://refspecs.linuxfoundation.org/LSB_5.0.0/, symbol versioning).
 */
#ifndef PORTMAP_PROGRAM_VERSIONS_H
#define PORTMAP_PROGRAM_VERSIONS_H

#include <limits.h>

struct versions_lack {
    char file[PATH_MAX]; /* the library that lacks it */
    char version[64];    /* the newest of those that are missing; empty when the file itself is missing */
};

/*
 * Compares what `library` needs with what the libraries of these names in `directory` have. 0 when all is
 * there, 1 with *lack filled in, or a negated errno; files of another class than this program's need nothing.
 */
int versions_compare(const char *library, const char *directory, struct versions_lack *lack);

#endif
