/*
 * A socket address of either IP family, and its port, which lies at the same place in both.
 */
#ifndef SHIM_RULES_ADDRESS_H
#define SHIM_RULES_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

enum {
    ADDRESS_HEAD = 4, /* bytes of the family and the port */
    ADDRESS_IPV4 = sizeof(struct sockaddr_in),
    ADDRESS_IPV6 = sizeof(struct sockaddr_in6),
    /* RFC 2133's sockaddr_in6 had no sin6_scope_id; the kernel still takes that length (SIN6_LEN_RFC2133). */
    ADDRESS_SHORT_IPV6 = offsetof(struct sockaddr_in6, sin6_scope_id),
};

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "the port is read before the family is known");

static inline bool address_is_ip(const union address *address)
{
    return address->any.sa_family == AF_INET || address->any.sa_family == AF_INET6;
}

/*
 * Whether len is a length that the kernel accepts for an address of this family: at least IPv6's for
 * AF_INET6, at least IPv4's for any other, at most that of the union.
 */
static inline bool address_is_whole(const union address *address, socklen_t len)
{
    socklen_t least = address->any.sa_family == AF_INET6 ? ADDRESS_SHORT_IPV6 : ADDRESS_IPV4;
    return len >= least && len <= sizeof *address;
}

/* The port, in host byte order. */
static inline unsigned address_port(const union address *address)
{
    return ntohs(address->ipv4.sin_port);
}

static inline void address_set_port(union address *address, unsigned port)
{
    address->ipv4.sin_port = htons((uint16_t)port);
}

#endif
