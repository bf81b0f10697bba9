/*
 * Notes what a program does that is not rewritten, for people who look at the run (run/sighting.h): it uses
 * fixed ports that nobody listed, or loads libraries whose calls do not come through this one.
 */
#ifndef SHIM_RULES_SEEN_H
#define SHIM_RULES_SEEN_H

#include "rules/rules.h"
#include "run/sighting.h"

/*
 * After bind(2), or listen(2) that was refused, of an address without a placeholder, of which out->to has at
 * least the first ADDRESS_HEAD bytes; `error` is 0 or the errno of bind(2). Makes no system call in a process
 * that is settled (view_settle()), unless it is `mixed` (rules/kind.h), all fixed ports are being discovered,
 * or a refusal is to be told (view->tell). Leaves errno alone.
 */
void seen_bind(const struct view *view, int fd, const struct outbound *out, int error);

/* Before a connection or datagram, while all fixed ports are being discovered: notes a port of this host. */
void seen_destination(const struct view *view, int fd, const struct outbound *out);

/* Notes that the program loads a library by which its calls get past this one, or would have without us; kind
 * is SIGHTING_DEEPBIND, SIGHTING_DEEPBIND_KEPT or SIGHTING_DLMOPEN. */
void seen_load(const struct view *view, enum sighting_kind kind);

#endif
