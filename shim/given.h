/*
 * Numbers that the kernel gave by itself, to a socket bound to port 0, and that are late placeholders all the
 * same: with `all` every number is one.
 *
 * A program that was told such a number by getsockname(2), and then binds it by number, means the kernel's:
 * while its first socket is there, the second is refused, shares it, or has the same number of the other
 * protocol, as without us. When that socket is gone the number is a placeholder like any other, and gets a
 * real port that no other run can get between the close and the bind.
 */
#ifndef SHIM_GIVEN_H
#define SHIM_GIVEN_H

#include "map.h"

#include <stdbool.h>

/* Notes that the program was told this number (host byte order) as the one of its own socket fd. No system
 * call but those of kind_matches(). */
void given_note(int fd, unsigned port);

/*
 * Whether the number was given to a program of this run and a socket still holds it: then it is not to be
 * rewritten. Asks the kernel (probe.h), only for numbers that were noted; under a filter (filter.h) those
 * are taken for held. Leaves errno alone. No cancellation point.
 */
bool given_is_held(const struct map *map, unsigned port);

#endif
