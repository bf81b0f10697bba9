#include "rules/local.h"

#include "base/kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct request {
    struct nlmsghdr header;
    union {
        struct rtmsg route;
        struct ifaddrmsg address;
    } body;
    char attributes[64];
};

union reply {
    struct nlmsghdr header;
    char bytes[8192];
};

/* Room for the answer about one route. We may run on the small stack of a signal handler. */
union short_reply {
    struct nlmsghdr header;
    char bytes[512];
};

/* The addresses of all interfaces, in memory that is mapped for them: who notes them may have a small stack.
 */
struct noted {
    union reply reply; /* room for the kernel's answers meanwhile */
    size_t size;       /* bytes that are mapped */
    unsigned count, room;
    struct in6_addr addresses[]; /* IPv4 ones as v4-mapped */
};

static _Atomic(const struct noted *) known; /* never changed once it is set */

static int open_route(void)
{
    return kernel_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static bool ask(int fd, const struct request *request)
{
    return kernel_call(SYS_sendto, fd, request, (size_t)request->header.nlmsg_len, 0, NULL, 0) > 0;
}

static long hear(int fd, void *reply, size_t size)
{
    return kernel_call(SYS_recvfrom, fd, reply, size, 0, NULL, NULL);
}

static void add_attribute(struct request *request, unsigned short type, const void *data, unsigned short len)
{
    struct rtattr *attribute = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(len);
    memcpy(RTA_DATA(attribute), data, len);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(len));
}

static struct noted *noted_new(size_t size)
{
    struct noted *noted = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (noted == MAP_FAILED)
        return NULL;
    noted->size = size;
    noted->room = (unsigned)((size - sizeof *noted) / sizeof noted->addresses[0]);
    return noted;
}

/* Twice as much room. False when there is no memory. */
static bool grow(struct noted **noted)
{
    struct noted *old = *noted, *more = noted_new(2 * old->size);
    if (more == NULL)
        return false;
    more->reply = old->reply;
    more->count = old->count;
    memcpy(more->addresses, old->addresses, old->count * sizeof old->addresses[0]);
    *noted = more;
    munmap(old, old->size);
    return true;
}

static struct in6_addr mapped(int family, const void *address)
{
    struct in6_addr as_ipv6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    if (family == AF_INET6)
        memcpy(&as_ipv6, address, sizeof as_ipv6);
    else
        memcpy(&as_ipv6.s6_addr[12], address, sizeof(struct in_addr));
    return as_ipv6;
}

static void note_message(struct noted **noted, const struct nlmsghdr *header)
{
    const struct ifaddrmsg *message = NLMSG_DATA(header);
    const void *address = NULL;
    unsigned left = header->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof *message);
    for (const struct rtattr *a = IFA_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left))
        /* On a point-to-point link IFA_ADDRESS is the other end's, and IFA_LOCAL ours. */
        if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && address == NULL))
            address = RTA_DATA(a);
    if (address == NULL)
        return;
    struct in6_addr as_ipv6 = mapped(message->ifa_family, address);
    if ((*noted)->count < (*noted)->room || grow(noted))
        (*noted)->addresses[(*noted)->count++] = as_ipv6;
}

/* Notes the addresses in one answer. False after the last of all answers. */
static bool note_answer(struct noted **noted, unsigned size)
{
    for (unsigned at = 0, left = size;;) {
        const struct nlmsghdr *h = (const void *)((*noted)->reply.bytes + at); /* *noted may move */
        if (!NLMSG_OK(h, left))
            return true;
        if (h->nlmsg_type != RTM_NEWADDR)
            return false;
        unsigned whole = NLMSG_ALIGN(h->nlmsg_len);
        note_message(noted, h);
        if (whole >= left)
            return true;
        at += whole;
        left -= whole;
    }
}

static void note_all(struct noted **noted, int fd)
{
    struct request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.body.address),
                                         .nlmsg_type = RTM_GETADDR,
                                         .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    long got = ask(fd, &request) ? 1 : 0;
    while (got > 0) {
        got = hear(fd, &(*noted)->reply, sizeof(*noted)->reply);
        if (got > 0 && !note_answer(noted, (unsigned)got))
            got = 0;
    }
}

void local_note(void)
{
    const struct noted *none = NULL;
    int saved = errno, fd = atomic_load(&known) == NULL ? open_route() : -1;
    struct noted *noted = fd >= 0 ? noted_new(4 * sizeof(union reply)) : NULL;
    if (noted != NULL) {
        note_all(&noted, fd);
        if (!atomic_compare_exchange_strong(&known, &none, noted))
            munmap(noted, noted->size);
    }
    if (fd >= 0)
        kernel_close(fd);
    errno = saved;
}

static bool is_known(int family, const void *address)
{
    const struct noted *noted = atomic_load(&known);
    struct in6_addr wanted = mapped(family, address);
    for (unsigned i = 0; noted != NULL && i < noted->count; i++)
        if (memcmp(&noted->addresses[i], &wanted, sizeof wanted) == 0)
            return true;
    return false;
}

/* The type of the route to an address, such as RTN_LOCAL; RTN_UNSPEC when there is none. */
static unsigned route_type(int fd, int family, const void *address, unsigned short len, uint32_t scope)
{
    union short_reply reply;
    struct request request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.body.route),
                   .nlmsg_type = RTM_GETROUTE,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body.route = {.rtm_family = (unsigned char)family, .rtm_dst_len = (unsigned char)(len * 8)}};
    add_attribute(&request, RTA_DST, address, len);
    if (scope != 0)
        add_attribute(&request, RTA_OIF, &scope, sizeof scope);
    if (!ask(fd, &request) || hear(fd, &reply, sizeof reply) < (long)NLMSG_LENGTH(sizeof(struct rtmsg)) ||
        reply.header.nlmsg_type != RTM_NEWROUTE)
        return RTN_UNSPEC;
    const struct rtmsg *route = NLMSG_DATA(&reply.header);
    return route->rtm_type;
}

static bool ask_kernel(const struct view *view, int family, const void *address, unsigned short len,
                       uint32_t scope)
{
    bool ours;
    int fd = view_is_filtered(view) ? -1 : open_route();
    if (fd < 0) {
        ours = is_known(family, address);
    } else {
        unsigned type = route_type(fd, family, address, len, scope);
        ours = type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST;
        kernel_close(fd);
    }
    return ours;
}

static bool has_ipv4(const struct view *view, struct in_addr address)
{
    uint32_t bits = ntohl(address.s_addr);
    if (bits >> 24 == 127 || bits == INADDR_ANY || bits == INADDR_BROADCAST || bits >> 28 == 14)
        return true;
    return ask_kernel(view, AF_INET, &address, sizeof address, 0);
}

static bool has_ipv6(const struct view *view, const struct sockaddr_in6 *address)
{
    const struct in6_addr *bits = &address->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(bits)) {
        struct in_addr ipv4;
        memcpy(&ipv4, &bits->s6_addr[12], sizeof ipv4);
        return has_ipv4(view, ipv4);
    }
    if (IN6_IS_ADDR_LOOPBACK(bits) || IN6_IS_ADDR_UNSPECIFIED(bits) || IN6_IS_ADDR_MULTICAST(bits))
        return true;
    return ask_kernel(view, AF_INET6, bits, sizeof *bits, address->sin6_scope_id);
}

bool local_has(const struct view *view, const union address *address, socklen_t len)
{
    struct sockaddr_in6 scoped = {0};
    if (address->any.sa_family != AF_INET6)
        return has_ipv4(view, address->ipv4.sin_addr);
    memcpy(&scoped, &address->ipv6, len < ADDRESS_IPV6 ? ADDRESS_SHORT_IPV6 : ADDRESS_IPV6);
    return has_ipv6(view, &scoped);
}
