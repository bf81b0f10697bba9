#include "portmap.h"

#include "host/probe.h"
#include "lease/pool.h"
#include "run/obtain.h"
#include "run/picking.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

static int lease(pid_t pid, const struct probe_scope *scope)
{
    struct obtain_server server = obtain_server_of(environ, pid);
    struct picking picking = {.pid = pid, .scope = scope, .server = &server};
    return picking_lease(&picking);
}

int portmap_pick(pid_t pid)
{
    bool own = pid == 0 || pid == getpid();
    int port = own ? picking_take_reserved() : 0;
    return port != 0 ? port : lease(own ? getpid() : pid, NULL);
}

static int set_scope(struct probe_scope *scope, int family, int type)
{
    if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6)
        return -EINVAL;
    if (type != 0 && type != SOCK_STREAM && type != SOCK_DGRAM)
        return -EINVAL;
    *scope =
        (struct probe_scope){.family = family, .no_tcp = type == SOCK_DGRAM, .no_udp = type == SOCK_STREAM};
    return 0;
}

int portmap_lease(const char *const *hosts, int family, int type)
{
    struct probe_scope scope;
    int error = set_scope(&scope, family, type);
    for (; error == 0 && hosts != NULL && *hosts != NULL; hosts++)
        error = probe_add_host(&scope, *hosts);
    return error == 0 ? lease(getpid(), &scope) : error;
}

int portmap_find_unused(int family, int type)
{
    return portmap_lease(NULL, family, type);
}

int portmap_release(unsigned port)
{
    return port != 0 && port < PORT_COUNT ? picking_release(port) : PORTMAP_ENOTOURS;
}

int portmap_reserve(unsigned port)
{
    return port != 0 && port < PORT_COUNT ? picking_reserve(port) : -EINVAL;
}

static int free_or_error(int answer)
{
    if (answer == PROBE_FORBIDDEN)
        return -EACCES;
    return answer < 0 ? answer : answer == PROBE_FREE;
}

int portmap_is_free(unsigned port)
{
    return port == 0 || port >= PORT_COUNT ? -EINVAL : free_or_error(probe_port(port));
}

static int port_of(int fd)
{
    struct sockaddr_in6 address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    /* sin_port and sin6_port are in the same place. */
    return ntohs(address.sin6_port);
}

int portmap_bind(unsigned port, int type)
{
    struct probe_scope scope;
    struct probe_held held = {.exclusive = true};
    if (port >= PORT_COUNT || type == 0 || set_scope(&scope, AF_UNSPEC, type) != 0)
        return -EINVAL;
    if (port != 0) {
        int free = free_or_error(probe_port_in(port, &scope));
        return free == 0 ? -EADDRINUSE : free < 0 ? free : (int)port;
    }
    int answer = probe_hold(0, &scope, &held);
    if (answer != PROBE_FREE)
        return answer < 0 ? answer : -EADDRINUSE;
    int chosen = port_of(held.fds[0]);
    close(held.fds[0]);
    return chosen;
}

static bool has_option(int fd, int option)
{
    int on = 0;
    socklen_t len = sizeof on;
    return getsockopt(fd, SOL_SOCKET, option, &on, &len) == 0 && on;
}

static int option_of(int fd, int option, int *value)
{
    socklen_t len = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, option, value, &len) < 0 ? -errno : 0;
}

int portmap_bind_port(int fd, const char *host)
{
    struct probe_scope scope = {0};
    int type = 0, error = option_of(fd, SO_DOMAIN, &scope.family);
    if (error == 0)
        error = option_of(fd, SO_TYPE, &type);
    if (error == 0 && scope.family != AF_INET && scope.family != AF_INET6)
        error = -EAFNOSUPPORT;
    if (error == 0 && type == SOCK_STREAM && (has_option(fd, SO_REUSEADDR) || has_option(fd, SO_REUSEPORT)))
        error = PORTMAP_EREUSE;
    if (error == 0)
        error = probe_add_host(&scope, host != NULL ? host : "localhost");
    if (error != 0)
        return error;
    const union probe_address *address = &scope.hosts[0];
    socklen_t len = scope.family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
    return bind(fd, &address->any, len) < 0 ? -errno : port_of(fd);
}

int portmap_pool(unsigned short *ports, unsigned size, char *problem, unsigned problem_size)
{
    struct pool pool;
    struct problem wrong;
    int error = pool_load(&pool, environ, &wrong);
    if (error != 0 && problem != NULL && problem_size > 0) {
        struct text t = text_in(problem, problem_size);
        text_str(&t, wrong.what);
    }
    if (error != 0)
        return error;
    for (unsigned port = 0, i = 0; i < size && (port = portbits_next(&pool.ports, port)) != 0;)
        ports[i++] = (unsigned short)port;
    return (int)pool.count;
}

int portmap_ephemeral_range(unsigned *first, unsigned *last)
{
    struct ephemeral_range range = pool_ephemeral_range();
    *first = range.first;
    *last = range.last;
    return 0;
}
