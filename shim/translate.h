/*
 * The one place where a socket address is translated: towards the kernel, and towards the program.
 */
#ifndef SHIM_TRANSLATE_H
#define SHIM_TRANSLATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct map;

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

/* An address on its way to the kernel. */
struct outbound {
    const struct sockaddr *address; /* the caller's own where nothing is ours, else &copy */
    unsigned placeholder;           /* host byte order; 0 where nothing was translated */
    uint32_t entry;                 /* the table's */
    struct map *map;                /* where that is, or is to be, unless it was known at start */
    bool fresh;                     /* a late placeholder that this very call gave its real port */
    bool refused;                   /* a late placeholder for which no real port could be had */
    bool out_of_reach;              /* because none can be leased from here */
    union address copy;
};

/*
 * Towards the kernel, for bind(2): a placeholder becomes its real port, on any address. A late placeholder
 * gets its real port here. AF_UNSPEC counts as IPv4, as it does to the kernel (inet_bind()).
 */
void translate_local(struct outbound *out, int fd, const struct sockaddr *address, socklen_t len);

/*
 * Towards the kernel, for a destination: a placeholder becomes its real port when the address is this host's.
 * AF_UNSPEC is IPv4 in a datagram's destination (udp_sendmsg()) and left alone by connect(2), which it tells
 * to disconnect.
 */
enum destination { DESTINATION_CONNECT, DESTINATION_DATAGRAM };
void translate_destination(struct outbound *out, int fd, const struct sockaddr *address, socklen_t len,
                           enum destination destination);

enum owner { OWNER_SELF, OWNER_PEER };

/*
 * Towards the program: a whole address that the kernel gave, OWNER_SELF for the socket's own, OWNER_PEER for
 * one that is translated only when it is this host's.
 */
void translate_back(int fd, union address *address, socklen_t len, enum owner owner);

/*
 * For calls that write an address to the caller's buffer. Before the call: how much room the caller gives, 0
 * when there is nothing to translate in it. After it succeeded: translates what is there. A buffer that is
 * shorter than the address does not hold what must be known, so the kernel is asked again, on fd, for the
 * whole of it.
 */
socklen_t translate_room(const struct sockaddr *address, const socklen_t *len);
void translate_buffer(int fd, struct sockaddr *address, socklen_t room, const socklen_t *len,
                      enum owner owner);

#endif
