#include "probe.h"

#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_and_close(int fd, const void *address, socklen_t len)
{
    int failed = kernel_bind(fd, address, len) < 0 ? errno : 0;
    close(fd);
    return failed;
}

static int probe_ipv4(int type, unsigned port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : bind_and_close(fd, &any, sizeof any);
}

static int probe_dual_stack(int type, unsigned port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int off = 0;
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* The default is a sysctl's (net.ipv6.bindv6only), so it is said. */
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    return bind_and_close(fd, &any, sizeof any);
}

static int probe_type(int type, unsigned port)
{
    int error = probe_dual_stack(type, port);
    if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)
        error = probe_ipv4(type, port);
    return error;
}

int probe_port(unsigned port)
{
    int error = probe_type(SOCK_STREAM, port);
    if (error == 0)
        error = probe_type(SOCK_DGRAM, port);
    if (error == EADDRINUSE)
        return PROBE_TAKEN;
    if (error == EACCES)
        return PROBE_FORBIDDEN;
    return error == 0 ? PROBE_FREE : -error;
}
