/*
 * Late placeholders, which get their real port when they are first bound: getting one, and which numbers of
 * theirs are not to be rewritten, as the kernel has given them by itself.
 *
 * With `all` every number is a late placeholder, also those that a socket bound to port 0 is given. A program
 * that was told such a number by getsockname(2), and then binds it by number, means the kernel's: while its
 * first socket is there, the second is refused, shares it, or has the same number of the other protocol, as
 * without us. When that socket is gone the number is a placeholder like any other, and gets a real port that
 * no other run can get between the close and the bind.
 */
#ifndef SHIM_RULES_LATE_H
#define SHIM_RULES_LATE_H

#include "rules/view.h"

/*
 * Puts a port in place of *entry of a late placeholder, 0 where it has none yet: one of the run's stock, or,
 * when that is empty, one that is leased now (view->refill). *entry is what is in force, unchanged when no
 * port could be had. errno is left alone.
 */
enum refill late_assign(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

/* Gives one that was assigned its alias, if it needs one (map_alias_late()). False when the stock is empty.
 */
bool late_alias(const struct view *view, struct map *map, unsigned placeholder);

/* Notes that the program was told this number (host byte order) as the one of its own socket fd. No system
 * call but those of kind_matches(). */
void late_note_given(const struct view *view, int fd, unsigned port);

/*
 * Whether the number was given to a program of this run and a socket still holds it: then it is not to be
 * rewritten. Asks the kernel (probe.h), only for numbers that were noted; under a filter those are taken for
 * held. errno is left alone. No cancellation point.
 */
bool late_is_held(const struct view *view, const struct map *map, unsigned port);

#endif
