/*
 * Whether an address is this host's: of the network namespace of who asks, whatever process it asks for.
 */
#ifndef SHIM_RULES_LOCAL_H
#define SHIM_RULES_LOCAL_H

#include "rules/address.h"
#include "rules/view.h"

/* Reads the addresses of all interfaces, for the time when no descriptor can be had. Called once, at attach.
 */
void local_init(void);

/*
 * True for what a datagram or connection reaches on this host: loopback, the unspecified address, v4-mapped
 * ones of either, multicast groups and broadcast addresses, and what the kernel's routing table calls local.
 * Loopback and the unspecified address are known by their bits; for others the kernel is asked
 * (rtnetlink(7)). Leaves errno alone. No cancellation point. The address is whole; its port does not matter.
 */
bool local_has(const struct view *view, const union address *address, socklen_t len);

#endif
