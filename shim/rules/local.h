/*
 * Whether an address is this host's, as seen from the network namespace of the calling process.
 */
#ifndef SHIM_RULES_LOCAL_H
#define SHIM_RULES_LOCAL_H

#include "rules/address.h"
#include "rules/view.h"

/* Notes the addresses of all interfaces, for when no descriptor can be opened. Does nothing when that is
 * done. Leaves errno alone. Async-signal-safe. */
void local_note(void);

/*
 * True for an address by which a datagram or connection reaches this host: loopback, unspecified, multicast
 * and 255.255.255.255, which their bits tell, v4-mapped ones included; and those whose route the kernel calls
 * local, broadcast or anycast (rtnetlink(7)). Where no descriptor can be opened, or a seccomp filter of the
 * program's is installed, the addresses that local_note() noted decide instead of the kernel. The address is
 * whole; its port does not matter. Leaves errno alone. No cancellation point.
 */
bool local_has(const struct view *view, const union address *address, socklen_t len);

#endif
