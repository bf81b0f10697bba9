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
 * separated by commas, spaces allowed around them. "all" and what comes from a list of more than
 * PORTSET_START ports is assigned late, when a program first binds it; the rest at start.
 */
#ifndef PORTMAP_RUN_PORTSET_H
#define PORTMAP_RUN_PORTSET_H

#include "base/portbits.h"
#include "base/problem.h"

enum { PORTMAP_TCP = 1, PORTMAP_UDP = 2, PORTMAP_BOTH = PORTMAP_TCP | PORTMAP_UDP };
enum { PORTSET_START = 1000 }; /* placeholders that are assigned, and published, when a run starts */

struct portset {
    struct portbits listed[2];   /* named by number: TCP, UDP */
    struct portbits excluded[2]; /* named after "!" */
    struct portbits all[2];      /* named by "all" only */
    unsigned fixed_count;
    struct {
        uint16_t placeholder, real;
    } fixed[PORTSET_START];
};

/*
 * Adds the specification to the set, which starts as all zeroes. Returns 0, or PORTMAP_ESYNTAX or
 * PORTMAP_ETOOMANY with *problem filled in, of whose `what` is the bad word; the set is then unusable.
 * Nothing is allocated.
 */
int portset_add(struct portset *set, const char *spec, struct problem *problem);

/* True when no port is a placeholder, exclusions applied. */
bool portset_is_empty(const struct portset *set);

/* PORTMAP_TCP, PORTMAP_UDP or both, for a placeholder listed by number; 0 when it is not, or excluded. */
unsigned portset_listed(const struct portset *set, unsigned port);

/* The same for ports that come from "all" alone. */
unsigned portset_all(const struct portset *set, unsigned port);

/*
 * The placeholders that get their real ports at once: of those listed by number the ones with a given real
 * port, then the others in ascending order, `most` in all.
 */
void portset_first(const struct portset *set, unsigned most, struct portbits *first);

/* How many placeholders are listed by number. */
unsigned portset_count(const struct portset *set);

/* The real port given for a placeholder, 0 when none was. */
unsigned portset_fixed(const struct portset *set, unsigned placeholder);

#endif
