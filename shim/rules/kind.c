#include "rules/kind.h"

#include "base/kernel.h"
#include "run/portset.h"

#include <netinet/in.h>
#include <string.h>

static bool is_mixed(const struct view *view)
{
    view_settle(view);
    return atomic_load_explicit(&view->mixed, memory_order_relaxed);
}

#ifndef IPPROTO_MPTCP /* glibc before 2.32 */
#define IPPROTO_MPTCP 262
#endif

static int option(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return kernel_getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static unsigned kind_of_protocol(int protocol)
{
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
        return PORTMAP_TCP;
    return protocol == IPPROTO_UDP ? PORTMAP_UDP : 0;
}

/* The protocol does not tell: a raw socket may have that of TCP or UDP. */
static bool is_raw(int fd)
{
    return option(fd, SO_TYPE) == SOCK_RAW;
}

unsigned kind_of(const struct view *view, int fd)
{
    if (view_is_filtered(view))
        return 0;
    unsigned kind = kind_of_protocol(option(fd, SO_PROTOCOL));
    if (kind != 0 && is_mixed(view) && is_raw(fd))
        kind = 0;
    return kind;
}

bool kind_matches(const struct view *view, int fd, unsigned protocols)
{
    bool asks = !view_is_filtered(view) && (protocols != PORTMAP_BOTH || is_mixed(view));
    return !asks || (kind_of(view, fd) & protocols) != 0;
}

bool kind_has_ports(int family)
{
    return family != AF_UNIX && family != AF_NETLINK && family != AF_PACKET;
}

void kind_note_got(struct view *view, int fd)
{
    int family = atomic_load(&view->mixed) || view_is_filtered(view) ? -1 : option(fd, SO_DOMAIN);
    if (family >= 0 && kind_has_ports(family) &&
        (kind_of_protocol(option(fd, SO_PROTOCOL)) == 0 || is_raw(fd)))
        atomic_store(&view->mixed, true);
}

/* musl's CMSG_NXTHDR() has such a conversion. */
#pragma GCC diagnostic ignored "-Wsign-conversion"

void kind_received(struct view *view, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int fd;
        for (size_t at = CMSG_LEN(0); at + sizeof fd <= c->cmsg_len; at += sizeof fd) {
            memcpy(&fd, (const char *)c + at, sizeof fd);
            kind_note_got(view, fd);
        }
    }
}

void kind_note_made(struct view *view, int family, int type, int protocol)
{
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool ours = (family == AF_INET || family == AF_INET6) && (kind == SOCK_STREAM || kind == SOCK_DGRAM) &&
                (protocol == 0 || kind_of_protocol(protocol) != 0);
    if (!ours && kind_has_ports(family))
        atomic_store(&view->mixed, true);
}
