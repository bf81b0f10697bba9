#include "host/probe.h"

#include "base/kernel.h"
#include "error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel chooses a port that is free for TCP. If UDP has it taken, another is tried, this often. */
enum { CHOOSE_TRIES = 16 };

/* One probe: of a port, with one type of socket. */
struct probing {
    unsigned port;
    int type;
    const struct probe_scope *scope; /* or NULL */
    struct probe_held *held;         /* where to keep the bound sockets; NULL: close them */
};

static int configure(int fd, int family, int v6only, bool reuse)
{
    int on = 1;
    /* Always set: the default is the administrator's (net.ipv6.bindv6only). */
    int error =
        family == AF_INET6 ? kernel_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) : 0;
    if (error == 0 && reuse)
        error = kernel_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return -error;
}

/* Binds a new socket to the address, with the port of the probe. 0 or a positive errno. */
static int try_bind(const struct probing *p, union probe_address address, int v6only)
{
    int family = address.any.sa_family;
    int fd = kernel_socket(family, p->type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -fd;
    int error = configure(fd, family, v6only, p->held != NULL && !p->held->exclusive);
    if (family == AF_INET6)
        address.v6.sin6_port = htons((uint16_t)p->port);
    else
        address.v4.sin_port = htons((uint16_t)p->port);
    if (error == 0)
        error = -kernel_bind(fd, &address.any, family == AF_INET6 ? sizeof address.v6 : sizeof address.v4);
    if (error == 0 && p->held != NULL)
        p->held->fds[p->held->count++] = fd;
    else
        kernel_close(fd);
    return error;
}

static const union probe_address any_ipv4 = {.v4 = {.sin_family = AF_INET}};
static const union probe_address any_ipv6 = {.v6 = {.sin6_family = AF_INET6}};

static bool is_absent(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int try_everywhere(const struct probing *p)
{
    int error = try_bind(p, any_ipv6, 0);
    return is_absent(error) ? try_bind(p, any_ipv4, 0) : error;
}

static int try_hosts(const struct probing *p)
{
    int error = 0;
    for (unsigned i = 0; i < p->scope->host_count && error == 0; i++)
        error = try_bind(p, p->scope->hosts[i], 1);
    return error;
}

static int try_type(const struct probing *p)
{
    if (p->scope != NULL && p->scope->host_count > 0)
        return try_hosts(p);
    if (p->scope == NULL || p->scope->family == AF_UNSPEC)
        return try_everywhere(p);
    return p->scope->family == AF_INET ? try_bind(p, any_ipv4, 0) : try_bind(p, any_ipv6, 1);
}

static int try_types(unsigned port, const struct probe_scope *scope, struct probe_held *held)
{
    struct probing p = {.port = port, .type = SOCK_STREAM, .scope = scope, .held = held};
    int error = scope != NULL && scope->no_tcp ? 0 : try_type(&p);
    p.type = SOCK_DGRAM;
    if (error == 0 && (scope == NULL || !scope->no_udp))
        error = try_type(&p);
    if (error == EADDRINUSE)
        return PROBE_TAKEN;
    if (error == EACCES)
        return PROBE_FORBIDDEN;
    return error == 0 ? PROBE_FREE : -error;
}

int probe_port(unsigned port)
{
    return try_types(port, NULL, NULL);
}

int probe_port_in(unsigned port, const struct probe_scope *scope)
{
    return try_types(port, scope, NULL);
}

int probe_hold(unsigned port, const struct probe_scope *scope, struct probe_held *held)
{
    held->count = 0;
    int answer = try_types(port, scope, held);
    if (answer != PROBE_FREE)
        probe_let_go(held);
    return answer;
}

void probe_let_go(struct probe_held *held)
{
    while (held->count > 0)
        kernel_close(held->fds[--held->count]);
}

static int port_of_socket(int fd)
{
    union probe_address name = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof name;
    int error = kernel_getsockname(fd, &name.any, &len);
    if (error < 0)
        return error;
    return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
}

int probe_choose(struct probe_held *held)
{
    int port = -EADDRINUSE;
    held->count = 0;
    held->exclusive = true;
    for (unsigned tries = 0; tries < CHOOSE_TRIES && port == -EADDRINUSE; tries++) {
        struct probing p = {.type = SOCK_STREAM, .held = held};
        int error = try_everywhere(&p);
        port = error == 0 ? port_of_socket(held->fds[0]) : -error;
        if (port > 0) {
            p.type = SOCK_DGRAM;
            p.port = (unsigned)port;
            error = try_everywhere(&p);
            port = error == 0 ? port : -error;
        }
        if (port < 0)
            probe_let_go(held);
    }
    return port;
}

static int add_address(struct probe_scope *scope, union probe_address address)
{
    if (scope->host_count == sizeof scope->hosts / sizeof *scope->hosts)
        return PORTMAP_ETOOMANY;
    scope->hosts[scope->host_count++] = address;
    return 0;
}

/* Adds an address of each family in the scope. Where that is both, IPv6 is left out if the host lacks it. */
static int add_both(struct probe_scope *scope, struct in_addr v4, struct in6_addr v6)
{
    union probe_address four = {.v4 = {.sin_family = AF_INET, .sin_addr = v4}};
    union probe_address six = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = v6}};
    int error = 0;
    if (scope->family != AF_INET6)
        error = add_address(scope, four);
    bool optional = scope->family == AF_UNSPEC;
    struct probing any_port = {.type = SOCK_STREAM};
    if (error == 0 && scope->family != AF_INET && !(optional && is_absent(try_bind(&any_port, six, 1))))
        error = add_address(scope, six);
    return error;
}

int probe_add_host(struct probe_scope *scope, const char *host)
{
    union probe_address address = {.any = {.sa_family = AF_UNSPEC}};
    if (*host == '\0')
        return add_both(scope, (struct in_addr){INADDR_ANY}, (struct in6_addr)IN6ADDR_ANY_INIT);
    if (strcmp(host, "localhost") == 0)
        return add_both(scope, (struct in_addr){htonl(INADDR_LOOPBACK)},
                        (struct in6_addr)IN6ADDR_LOOPBACK_INIT);
    if (scope->family != AF_INET6 && inet_pton(AF_INET, host, &address.v4.sin_addr) == 1)
        address.any.sa_family = AF_INET;
    else if (scope->family != AF_INET && inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1)
        address.any.sa_family = AF_INET6;
    else
        return PORTMAP_ESYNTAX;
    return add_address(scope, address);
}
