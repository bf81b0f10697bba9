/*
 * A port of the kernel's choice for a late placeholder, where none can be leased: after chroot(2), as another
 * user, with no descriptor left. It is nobody else's while its socket is there. No lease keeps it afterwards:
 * the kernel may give it to others, and bind(2) is then told that it is in use.
 */
#ifndef SHIM_CHOOSE_H
#define SHIM_CHOOSE_H

#include "next.h"
#include "translate.h"

/*
 * Binds a socket for which translate_local() found no real port, or one that a stranger has taken, and enters
 * the port in the map. 0, or -1 with the kernel's errno. out->placeholder and out->entry are filled in. No
 * cancellation point.
 */
int choose_and_bind(const struct next *way, struct outbound *out, int fd, socklen_t len);

#endif
