/*
 * Late placeholders get their real port when they are first bound. Here: how they get it, and when a number
 * is left as it is because the kernel itself gave it to a socket of the run.
 *
 * With `all` every number is a late placeholder, even one that the kernel gives to a socket bound to port 0.
 * A program that learns such a number from getsockname(2) and then binds it means the kernel's number. While
 * the first socket holds it, the number is not rewritten: the second bind(2) fails, shares the port, or gets
 * the same number of the other protocol, as it would without us. Once the first socket is closed, the number
 * is a placeholder like any other: its next bind gets a leased port, so that no other run can take the port
 * between the close and the bind.
 */
#ifndef SHIM_RULES_LATE_H
#define SHIM_RULES_LATE_H

#include "rules/view.h"

/*
 * Gives a late placeholder (host byte order) a real port: its first, if *entry is 0, else another one instead
 * of *entry, whose port a stranger has taken. The port comes from the stock of the run or, when that is
 * empty, is leased now (view->refill). On return *entry is the entry in force, unchanged when there was no
 * port. Leaves errno alone.
 */
enum refill late_assign(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry);

/* What a refill (rules/view.h) answers, by the result of run_lease_late() (run/late.h). Where a port server
 * is required, no port can be had elsewhere. */
enum refill late_refilled(int result, bool server_required);

/* Gives an assigned placeholder its alias, if it needs one (map_alias_late()). False for an empty stock. */
bool late_alias(const struct view *view, struct map *map, unsigned placeholder);

/* Notes that the program has read this number (host byte order) as the port of its socket fd. Makes no system
 * calls but those of kind_matches(). */
void late_note_given(const struct view *view, int fd, unsigned port);

/*
 * Whether the kernel gave this number to a program of the run and a socket still holds it, so that it must
 * not be rewritten. For a number noted by late_note_given() the kernel is asked (host/probe.h); once the
 * program has installed a seccomp filter, a noted number counts as held. Leaves errno alone. No cancellation
 * point.
 */
bool late_is_held(const struct view *view, const struct map *map, unsigned port);

#endif
