/*
 * A port of the kernel's choice for a late placeholder, where none can be leased: after chroot(2), as another
 * user, with no descriptor left. It is nobody else's while its socket is there. No lease keeps it afterwards:
 * the kernel may give it to others, and bind(2) is then told that it is in use.
 */
#ifndef SHIM_RULES_CHOOSE_H
#define SHIM_RULES_CHOOSE_H

#include "rules/rules.h"

/*
 * Binds a socket for which rule_local() or rule_retry() found none in reach, and enters the port in the map.
 * 0 or the kernel's negated errno; out->entry is filled in. errno is left alone. No cancellation point.
 */
int choose_and_bind(const struct view *view, struct outbound *out, int fd);

#endif
