/*
 * How the port in a socket address is rewritten on its way to the kernel, and on its way back to the program.
 *
 * The rules do not know which process makes the call. Their caller, the asker, passes them a view of that
 * process (rules/view.h), a copy of the address and a descriptor of the socket. The asker makes the call.
 */
#ifndef SHIM_RULES_RULES_H
#define SHIM_RULES_RULES_H

#include "rules/address.h"
#include "rules/view.h"

/* An address on its way to the kernel. The asker fills in the first two fields. */
struct outbound {
    union address to;     /* the program's address; the rules put the real port into it */
    socklen_t len;        /* of that address, as the program says */
    unsigned placeholder; /* host byte order; 0: make the call as the program makes it */
    int error;            /* if not 0: do not make the call, fail with this errno */
    uint32_t entry;       /* of the port, as the view has it; 0 while it has no real port */
    struct map *map;      /* holds that entry, or will; NULL if it was known at attach */
    bool fresh;           /* this very call gave a late placeholder its real port */
    bool out_of_reach;    /* no port can be leased: use choose_and_bind() (rules/choose.h) */
    unsigned swaps;       /* how often rule_retry() has replaced the real port */
};

/* What the program does with the address. The kernel takes AF_UNSPEC for IPv4 in bind(2) (inet_bind()) and in
 * a datagram's destination (udp_sendmsg()); in connect(2) it means to disconnect. */
enum rule_use { RULE_BIND, RULE_CONNECT, RULE_DATAGRAM };

/*
 * Whether the rules may change the call, judged by out->len and the first ADDRESS_HEAD bytes of out->to. Sets
 * all other fields of *out. When true, the asker copies the rest of the address and calls rule_local() or
 * rule_destination(). Makes no system call.
 */
bool rule_concerns(const struct view *view, struct outbound *out, enum rule_use use);

/* For bind(2): replaces a placeholder by its real port, whatever the IP address. A late placeholder gets its
 * real port here. Sets out->placeholder unless nothing changes, and out->error or out->out_of_reach when
 * there is no real port. */
void rule_local(const struct view *view, int fd, struct outbound *out);

/*
 * After bind(2) of that real port failed with EADDRINUSE: true when out->to now has another real port to
 * bind. Only a port that this very call assigned is replaced, as no program has seen its number yet. When
 * false, look at out->out_of_reach.
 */
bool rule_retry(const struct view *view, struct outbound *out);

/* After the last bind(2) of a placeholder, whose errno is `error`, or 0: notes the port as bound and wakes
 * `portshim wait`, or logs the error. Leaves errno alone. */
void rule_bound(const struct view *view, const struct outbound *out, int error);

/* For a destination: replaces a placeholder by its real port when the address is this host's. Sets
 * out->placeholder unless nothing changes, and out->error when there is no real port. */
void rule_destination(const struct view *view, int fd, struct outbound *out);

/* For a port that the program names without a socket, to be bound or reached by one of these protocols: its
 * real port, or 0 when it has none. A late placeholder gets its real port here. */
unsigned rule_port(const struct view *view, unsigned port, unsigned protocols, enum view_use use);

/* Whose an address is: the socket's own, or a peer's, which is translated only when it is this host's. */
enum owner { OWNER_SELF, OWNER_PEER };

/* Towards the program: replaces a real port by its placeholder in an address of len bytes, which the kernel
 * wrote. One that is cut short is left as it is. */
void rule_back(const struct view *view, int fd, union address *address, socklen_t len, enum owner owner);

#endif
