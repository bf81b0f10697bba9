/*
 * Whether an address is this host's.
 */
#ifndef SHIM_HOST_H
#define SHIM_HOST_H

#include <netinet/in.h>
#include <stdbool.h>

/* Reads the addresses of all interfaces, for the time when no descriptor can be had. Called once, at attach.
 */
void host_init(void);

/*
 * True for what a datagram or connection reaches on this host: loopback, the unspecified address, v4-mapped
 * ones of either, multicast groups and broadcast addresses, and what the kernel's routing table calls local.
 * Loopback and the unspecified address are known by their bits; for others the kernel is asked
 * (rtnetlink(7)). Leaves errno alone. No cancellation point. The port in the address does not matter.
 */
bool host_has_ipv4(struct in_addr address);
bool host_has_ipv6(const struct sockaddr_in6 *address);

#endif
