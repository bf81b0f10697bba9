/*
 * Port specifications: the words that -p and PORTSHIM_PORTS take.
 *
 *     8080            a placeholder, TCP and UDP
 *     8000-8010       each of a range, ends included
 *     53/udp          one protocol only
 *     80=18080        a placeholder whose real port is given
 *     all             every port from 1 to 65535
 *     !22             not this one (ranges and protocols as above), wherever it stands
 *
 * separated by commas, with spaces around them if you like. The ports of "all", and those that a list has
 * beyond PORTSET_START, are assigned late, when a program first binds them; the others at start.
 */
#ifndef PORTMAP_RUN_PORTSET_H
#define PORTMAP_RUN_PORTSET_H

#include "base/portbits.h"
#include "base/problem.h"

enum { PORTMAP_TCP = 1, PORTMAP_UDP = 2, PORTMAP_BOTH = PORTMAP_TCP | PORTMAP_UDP };
enum { PORTSET_START = 1000 }; /* placeholders that are assigned, and published, when a run starts */

struct portset {
    /* What need not be looked at: most sets are empty above a few thousand, and have nothing excluded. To
     * look at memory that was never written costs a page fault for each page. */
    unsigned words; /* those of all six that may not be 0 */
    bool has_excluded, has_all;
    struct portbits listed[2];   /* named by number: TCP, UDP */
    struct portbits excluded[2]; /* named after "!" */
    struct portbits all[2];      /* named by "all" only */
    unsigned fixed_count;
    struct {
        uint16_t placeholder, real;
    } fixed[PORTSET_START];
};

/* Adds a specification to the set, which is all zeroes at first. 0; or PORTMAP_ESYNTAX or PORTMAP_ETOOMANY
 * with *problem filled in, whose `what` is the bad word, and the set is unusable. Nothing is allocated. */
int portset_add(struct portset *set, const char *spec, struct problem *problem);

/* True when no port is a placeholder, after exclusions. */
bool portset_is_empty(const struct portset *set);

/* The protocols of a placeholder that is listed by number; 0 when it is not listed, or excluded. */
unsigned portset_listed(const struct portset *set, unsigned port);

/* The same for a port that only "all" lists. */
unsigned portset_all(const struct portset *set, unsigned port);

/* The placeholders that get their real ports at once, `most` of them: first those with a given real port,
 * then others that are listed by number, in ascending order. */
void portset_first(const struct portset *set, unsigned most, struct portbits *first);

/* The lowest placeholder above `after` that is listed by number, and the lowest one at all; 0 when there is
 * none. */
unsigned portset_next_listed(const struct portset *set, unsigned after);
unsigned portset_next(const struct portset *set, unsigned after);

/* How many placeholders are listed by number. */
unsigned portset_count(const struct portset *set);

/* The real port given for a placeholder, 0 when none was. */
unsigned portset_fixed(const struct portset *set, unsigned placeholder);

#endif
