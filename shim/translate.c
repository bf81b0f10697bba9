#include "translate.h"

#include "attach.h"
#include "given.h"
#include "host.h"
#include "kind.h"
#include "memory.h"
#include "notice.h"
#include "refill.h"
#include "table.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* sa_family and, at the same place for both families, the port. */
enum { HEAD = 4, WHOLE_IPV4 = sizeof(struct sockaddr_in), WHOLE_IPV6 = sizeof(struct sockaddr_in6) };

/* RFC 2133's sockaddr_in6 had no scope; the kernel still takes it (SIN6_LEN_RFC2133). */
enum { SHORTEST_IPV6 = offsetof(struct sockaddr_in6, sin6_scope_id) };

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "the port is read before the family is known");

static bool is_this_host(const union address *address, socklen_t len)
{
    struct sockaddr_in6 scoped = {0};
    if (address->any.sa_family != AF_INET6)
        return host_has_ipv4(address->ipv4.sin_addr);
    memcpy(&scoped, &address->ipv6, len < WHOLE_IPV6 ? SHORTEST_IPV6 : WHOLE_IPV6);
    return host_has_ipv6(&scoped);
}

/* Whether a family and length are such that the kernel would look at the port. */
static bool is_whole(sa_family_t family, socklen_t len)
{
    return len <= sizeof(struct sockaddr_storage) &&
           len >= (socklen_t)(family == AF_INET6 ? SHORTEST_IPV6 : WHOLE_IPV4);
}

static void set_port(union address *address, unsigned port)
{
    address->ipv4.sin_port = htons((uint16_t)port);
}

static unsigned port_of(const union address *address)
{
    return ntohs(address->ipv4.sin_port);
}

/* The protocols that a placeholder is for, whether it has its real port or is to get one. */
static unsigned protocols_of(const struct outbound *out)
{
    return out->entry != 0 ? map_entry_protocols(out->entry)
                           : map_late_protocols(out->map, port_of(&out->copy));
}

/*
 * Copies the caller's address when its port may be ours: false at once for another family or for a port that
 * is no placeholder.
 */
static bool fetch(struct outbound *out, int fd, const struct sockaddr *address, socklen_t len, bool unspec,
                  enum table_use use)
{
    out->address = address;
    out->placeholder = 0;
    out->fresh = false;
    out->refused = false;
    out->out_of_reach = false;
    if (!table.active || len < HEAD || !memory_is_readable(address, HEAD))
        return false;
    memcpy(&out->copy, address, HEAD);
    sa_family_t family = out->copy.any.sa_family;
    if (family != AF_INET && family != AF_INET6 && !(unspec && family == AF_UNSPEC))
        return false;
    unsigned port = port_of(&out->copy);
    struct table_found found = table_to_kernel(port, use);
    if (found.entry == 0 && found.map == NULL)
        return false;
    out->entry = found.entry;
    out->map = found.map;
    if (!is_whole(family, len) || !memory_is_readable(address, len))
        return false;
    memcpy(&out->copy, address, len);
    return port_of(&out->copy) == port && kind_matches(fd, protocols_of(out));
}

static void rewrite(struct outbound *out)
{
    out->placeholder = port_of(&out->copy);
    set_port(&out->copy, map_entry_port(out->entry));
    out->address = &out->copy.any;
}

static void assign_late(struct outbound *out)
{
    unsigned placeholder = port_of(&out->copy);
    struct map *map = out->map;
    if (given_is_held(map, placeholder))
        return;
    enum refill answer = refill_assign(map, placeholder, &out->entry);
    out->fresh = answer == REFILL_ASSIGNED;
    out->refused = out->entry == 0;
    out->out_of_reach = answer == REFILL_OUT_OF_REACH;
    if (out->fresh || (out->refused && !out->out_of_reach))
        table_log(out->fresh ? MAP_EVENT_LATE : MAP_EVENT_EMPTY, placeholder, map_entry_port(out->entry), 0);
}

/* The last step of both ways to the kernel. */
static void finish(struct outbound *out)
{
    if (out->entry == 0)
        assign_late(out);
    if (out->entry == 0)
        return;
    if ((out->entry & (MAP_LATE | MAP_USED | MAP_ALIAS)) == MAP_LATE && !out->fresh)
        out->entry = map_share_late(out->map, port_of(&out->copy));
    rewrite(out);
}

void translate_local(struct outbound *out, int fd, const struct sockaddr *address, socklen_t len)
{
    if (fetch(out, fd, address, len, true, TABLE_BIND))
        finish(out);
}

void translate_destination(struct outbound *out, int fd, const struct sockaddr *address, socklen_t len,
                           enum destination destination)
{
    if (table.discover)
        notice_destination(fd, address, len);
    if (fetch(out, fd, address, len, destination == DESTINATION_DATAGRAM, TABLE_REACH) &&
        is_this_host(&out->copy, len))
        finish(out);
}

void translate_back(int fd, union address *address, socklen_t len, enum owner owner)
{
    if (len < WHOLE_IPV4)
        return; /* nothing was written, and the pointer may be a bad one */
    sa_family_t family = address->any.sa_family;
    if ((family != AF_INET && family != AF_INET6) || !is_whole(family, len))
        return;
    uint32_t entry = table_to_program(port_of(address));
    if (entry == 0 && owner == OWNER_SELF)
        given_note(fd, port_of(address));
    if (entry != 0 && kind_matches(fd, map_entry_protocols(entry)) &&
        (owner == OWNER_SELF || is_this_host(address, len)))
        set_port(address, map_entry_port(entry));
}

socklen_t translate_room(const struct sockaddr *address, const socklen_t *len)
{
    if (!table.active || table.reveal || address == NULL || !memory_is_readable(len, sizeof *len))
        return 0;
    return *len;
}

void translate_buffer(int fd, struct sockaddr *address, socklen_t room, const socklen_t *len,
                      enum owner owner)
{
    union address whole;
    socklen_t full = *len, have = room < full ? room : full;
    if (have < sizeof(sa_family_t) || full > sizeof whole)
        return;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return;
    if (have == full) {
        translate_back(fd, (union address *)address, full, owner);
        return;
    }
    int saved = errno;
    full = sizeof whole;
    int failed = owner == OWNER_SELF ? next()->getsockname(fd, &whole.any, &full)
                                     : next()->getpeername(fd, &whole.any, &full);
    errno = saved;
    if (failed)
        return;
    unsigned before = port_of(&whole);
    translate_back(fd, &whole, full, owner);
    if (port_of(&whole) != before)
        memcpy(address, &whole, have);
}
