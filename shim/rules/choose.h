/*
 * A late placeholder (rules/late.h) for which no port can be leased, as after chroot(2), as another user or
 * with no descriptor left, gets a port that the kernel chooses. No other program can get that port while it
 * is bound. Afterwards no lease keeps it: the kernel may give it to another program, and the next bind(2) of
 * the placeholder then fails with EADDRINUSE.
 */
#ifndef SHIM_RULES_CHOOSE_H
#define SHIM_RULES_CHOOSE_H

#include "rules/rules.h"

/*
 * Binds socket fd, for which rule_local() or rule_retry() set out->out_of_reach, to a port of the kernel's
 * choice, enters the port in out->map and sets out->entry. Returns 0 or a negated errno, the kernel's or
 * EADDRINUSE when no port will do. Leaves errno alone. No cancellation point.
 */
int choose_and_bind(const struct view *view, struct outbound *out, int fd);

#endif
