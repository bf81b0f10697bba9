/*
 * Whether a libc is new enough for the library: ld.so starts no program when a symbol version that a
 * preloaded library needs is missing (https://refspecs.linuxfoundation.org/LSB_5.0.0/, symbol versioning).
 */
#ifndef PORTMAP_PROGRAM_VERSIONS_H
#define PORTMAP_PROGRAM_VERSIONS_H

#include <limits.h>

struct versions_lack {
    char file[PATH_MAX]; /* where it is missing */
    char version[64];    /* the newest version that is missing; empty when the file itself is */
};

/*
 * Compares the versions that `library` needs with those that the libraries in `directory` have. 0 when none
 * is missing, 1 with *lack filled in, or a negated errno. A file of another class than this program's needs
 * nothing.
 */
int versions_compare(const char *library, const char *directory, struct versions_lack *lack);

#endif
