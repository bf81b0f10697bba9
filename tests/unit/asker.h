/*
 * Somebody who makes the calls of a pretended process, and asks the rules what becomes of its addresses: what
 * the preloaded library does for the process that it is in.
 */
#ifndef UNIT_ASKER_H
#define UNIT_ASKER_H

#include "maps.h"

#include "rules/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static struct view view;

/* What the asker leases when a stock is empty: the ports after the one named here; 0: none can be had. */
static unsigned leased;
static enum refill without_lease = REFILL_NONE;

static inline enum refill lease(const struct view *of, struct map *map, unsigned placeholder, uint32_t *entry)
{
    check(of == &view, "the view of somebody else");
    if (entry == NULL)
        return REFILL_NONE;
    if (leased == 0)
        return without_lease;
    return enter_leased(map, placeholder, leased++, entry) ? REFILL_ASSIGNED : REFILL_STANDS;
}

/* A process that is not this one, in a run with this map. */
static inline void pretend(struct map *map)
{
    memset(&view, 0, sizeof view);
    view.pid = 4711;
    view.program = (struct view_program){.device = 1, .inode = 2, .name = "pretended"};
    view.refill = lease;
    atomic_store(&view.settled, true);
    check(view_add_map(&view, map), "the view is full");
}

/* An address of the family that the text is of. */
static inline union address address_of(const char *text, unsigned port)
{
    union address address;
    memset(&address, 0, sizeof address);
    if (inet_pton(AF_INET6, text, &address.ipv6.sin6_addr) == 1)
        address.any.sa_family = AF_INET6;
    else if (inet_pton(AF_INET, text, &address.ipv4.sin_addr) == 1)
        address.any.sa_family = AF_INET;
    else
        check(false, "%s", text);
    address_set_port(&address, port);
    return address;
}

static inline socklen_t length_of(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? ADDRESS_IPV6 : ADDRESS_IPV4;
}

static inline int new_socket(int family, int type)
{
    int fd = socket(family, type, 0);
    check(fd >= 0, "%m");
    return fd;
}

static inline void use_up_descriptors(void)
{
    const struct rlimit few = {64, 64};
    check(setrlimit(RLIMIT_NOFILE, &few) == 0, "%m");
    while (dup(STDOUT_FILENO) >= 0)
        ;
}

/* The rules are asked about an address of so many bytes, of which they are shown no more than they may look
 * at. */
static inline struct outbound ask_sized(int fd, const union address *address, socklen_t len,
                                        enum rule_use use)
{
    struct outbound out;
    memset(&out, 0xaa, sizeof out);
    memcpy(&out.to, address, len < ADDRESS_HEAD ? len : ADDRESS_HEAD);
    out.len = len;
    if (rule_concerns(&view, &out, use)) {
        memcpy(&out.to, address, len);
        if (use == RULE_BIND)
            rule_local(&view, fd, &out);
        else
            rule_destination(&view, fd, &out);
    }
    return out;
}

static inline struct outbound ask(int fd, const char *text, unsigned port, enum rule_use use)
{
    union address address = address_of(text, port);
    return ask_sized(fd, &address, length_of(&address), use);
}

/* What the program is told of a port that the kernel said. */
static inline unsigned told(int fd, const char *text, unsigned port, enum owner owner)
{
    union address address = address_of(text, port);
    rule_back(&view, fd, &address, length_of(&address), owner);
    return address_port(&address);
}

/* The port that a call is made with, the placeholder where it is made as the program makes it. */
static inline unsigned made_with(const struct outbound *out, unsigned named)
{
    return out->placeholder != 0 ? address_port(&out->to) : named;
}

#endif
