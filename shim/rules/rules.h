/*
 * What becomes of a socket address on its way to the kernel, and on its way to the program.
 *
 * The rules know no process: they look at a view of one, at copies that the asker has made of its addresses,
 * and at its sockets by a descriptor that the asker has. It is the asker who makes the program's calls.
 */
#ifndef SHIM_RULES_RULES_H
#define SHIM_RULES_RULES_H

#include "rules/address.h"
#include "rules/view.h"

/* An address on its way to the kernel. The asker fills in the first two. */
struct outbound {
    union address to; /* a copy of what the program says; where placeholder is set, what the kernel is told */
    socklen_t len;    /* of the program's address */
    unsigned placeholder; /* host byte order; 0: the call is made as the program makes it */
    int error;            /* the call is not made, and fails with this errno; else 0 */
    uint32_t entry;       /* the view's */
    struct map *map;      /* where that is, or is to be, unless it was known at start */
    bool fresh;           /* a late placeholder that this very call gave its real port */
    bool out_of_reach;    /* a late one for which none can be leased: to be chosen (choose.h) */
    unsigned swaps;       /* how often rule_retry() gave it another one */
};

/* What an address is given to. AF_UNSPEC counts as IPv4 in bind(2) (inet_bind()) and in a datagram's
 * destination (udp_sendmsg()); connect(2) it tells to disconnect. */
enum rule_use { RULE_BIND, RULE_CONNECT, RULE_DATAGRAM };

/*
 * Looks at the first ADDRESS_HEAD bytes of out->to, whose other fields it sets, but for the length: false
 * when the call is none of ours. Else the asker copies the other bytes and asks rule_local() or
 * rule_destination().
 */
bool rule_concerns(const struct view *view, struct outbound *out, enum rule_use use);

/* For bind(2): a placeholder becomes its real port, on any address. A late placeholder gets its real port
 * here. */
void rule_local(const struct view *view, int fd, struct outbound *out);

/* After bind(2) of that real port, which said it is in use: whether to try again with another one, which is
 * in out->to then. Nobody has been told the number yet that a stranger has taken. */
bool rule_retry(const struct view *view, struct outbound *out);

/* After the last bind(2), that failed with `error` or did not (0). errno is left alone. */
void rule_bound(const struct view *view, const struct outbound *out, int error);

/* For a destination: a placeholder becomes its real port when the address is this host's. */
void rule_destination(const struct view *view, int fd, struct outbound *out);

enum owner { OWNER_SELF, OWNER_PEER };

/*
 * Towards the program: a whole address that the kernel gave, OWNER_SELF for the socket's own, OWNER_PEER for
 * one that is translated only when it is this host's.
 */
void rule_back(const struct view *view, int fd, union address *address, socklen_t len, enum owner owner);

#endif
