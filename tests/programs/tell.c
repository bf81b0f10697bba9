/*
 * tell NAME PORT: a server over TCP (HTTP) and UDP at this port of every address. It tells who it is, and
 * what it sees: its own address, and of a datagram the source's port. Written for every libc and word size;
 * go_server.go tells the same.
 */
#include "show.h"

#include <poll.h>

enum { MOST = 1000 };

static int opened(int type, unsigned port)
{
    union name name;
    int on = 1, off = 0, fd = must(socket(AF_INET6, type, 0), "socket");
    socklen_t len = make_name(&name, "::", port);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, &name.any, len), "bind");
    if (type == SOCK_STREAM)
        must(listen(fd, 64), "listen");
    return fd;
}

/* Writes an address and a port, IPv4 as such where it is mapped into IPv6. */
static void put_name(char *text, size_t size, const union name *name)
{
    char address[INET6_ADDRSTRLEN];
    const struct in6_addr *in6 = &name->ipv6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in6))
        snprintf(text, size, "%s:%u", inet_ntop(AF_INET, in6->s6_addr + 12, address, sizeof address),
                 ntohs(name->ipv6.sin6_port));
    else
        snprintf(text, size, "[%s]:%u", inet_ntop(AF_INET6, in6, address, sizeof address),
                 ntohs(name->ipv6.sin6_port));
}

static void tell_stream(int listener, const char *who)
{
    static const char head[] = "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n";
    char bytes[MOST], local[100];
    union name name;
    socklen_t len = sizeof name;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    size_t got = 0;
    while (got < sizeof bytes - 1) { /* the whole request, else closing would reset the connection */
        ssize_t part = read(fd, bytes + got, sizeof bytes - 1 - got);
        if (part <= 0)
            break;
        got += (size_t)part;
        bytes[got] = 0;
        if (strstr(bytes, "\r\n\r\n") != NULL)
            break;
    }
    must(getsockname(fd, &name.any, &len), "getsockname");
    put_name(local, sizeof local, &name);
    int size = snprintf(bytes, sizeof bytes, "%s%s at %s\n", head, who, local);
    if (write(fd, bytes, (size_t)size) != size)
        fprintf(stderr, "a client has gone\n");
    close(fd);
}

static void tell_datagram(int fd, const char *who)
{
    char bytes[MOST], source[100];
    union name name;
    socklen_t len = sizeof name;
    if (recvfrom(fd, bytes, sizeof bytes, 0, &name.any, &len) < 0)
        return;
    put_name(source, sizeof source, &name);
    int size = snprintf(bytes, sizeof bytes, "%s to %s\n", who, source);
    if (sendto(fd, bytes, (size_t)size, 0, &name.any, len) < 0)
        fprintf(stderr, "no answer to %s: %s\n", source, strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    unsigned port = (unsigned)atoi(argv[2]);
    struct pollfd ends[] = {{opened(SOCK_STREAM, port), POLLIN, 0}, {opened(SOCK_DGRAM, port), POLLIN, 0}};
    while (poll(ends, 2, -1) >= 0 || errno == EINTR) {
        if (ends[0].revents != 0)
            tell_stream(ends[0].fd, argv[1]);
        if (ends[1].revents != 0)
            tell_datagram(ends[1].fd, argv[1]);
    }
    return 1;
}
