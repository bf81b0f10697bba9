/*
 * What a program does besides its placeholders, noted for the people who look at the run (sighting.h): fixed
 * ports that nobody listed, and libraries that are loaded past this one.
 */
#ifndef SHIM_RULES_SEEN_H
#define SHIM_RULES_SEEN_H

#include "rules/rules.h"
#include "run/sighting.h"

/*
 * After bind(2) of an address with no placeholder in it, of which the first ADDRESS_HEAD bytes are known:
 * `error` is 0 or its errno. Makes no system call, unless all fixed ports are being discovered. Leaves errno
 * alone.
 */
void seen_bind(const struct view *view, int fd, const struct outbound *out, int error);

/* Before a connection or datagram to a port of this host, while all fixed ports are being discovered. */
void seen_destination(const struct view *view, int fd, const struct outbound *out);

/* A library is loaded past this one, or would have been: one of the kinds of sighting that say so. */
void seen_load(const struct view *view, enum sighting_kind kind);

#endif
