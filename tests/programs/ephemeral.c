/*
 * ephemeral PLACEHOLDER: takes all ports that the kernel hands out by itself, and checks how a program sees them
 * that also binds a placeholder among their numbers.
 */
#include "show.h"

#include <unistd.h>

static unsigned placeholder;

static int opened(int family, int type)
{
    struct timeval patience = {.tv_sec = 10};
    int fd = must(socket(family, type, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static union name own_name(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    must(getsockname(fd, &name.any, &len), "getsockname");
    return name;
}

static unsigned port_of(const union name *name)
{
    return ntohs(name->ipv4.sin_port);
}

/* Sends a datagram from `other` to fd and one back. Whether both came from their senders' own names. */
static int talk(int fd, int other)
{
    union name name = own_name(fd), from, back;
    socklen_t len = name.any.sa_family == AF_INET ? sizeof name.ipv4 : sizeof name.ipv6;
    socklen_t from_len = sizeof from, back_len = sizeof back;
    char byte;
    must((int)sendto(other, "a", 1, 0, &name.any, len), "sendto");
    must((int)recvfrom(fd, &byte, 1, 0, &from.any, &from_len), "recvfrom");
    union name sender = own_name(other);
    must((int)sendto(fd, "b", 1, 0, &from.any, from_len), "answer");
    must((int)recvfrom(other, &byte, 1, 0, &back.any, &back_len), "recvfrom");
    return port_of(&from) == port_of(&sender) && port_of(&back) == port_of(&name);
}

/* Connects from a port that the kernel chooses; both ends must agree on both names. */
static int meet(int listener)
{
    union name name = own_name(listener), seen = {0}, peer = {0};
    socklen_t len = name.any.sa_family == AF_INET ? sizeof name.ipv4 : sizeof name.ipv6;
    socklen_t seen_len = sizeof seen, peer_len = sizeof peer;
    int client = opened(name.any.sa_family, SOCK_STREAM);
    struct linger at_once = {.l_onoff = 1};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    must(connect(client, &name.any, len), "connect");
    int connection = must(accept(listener, &seen.any, &seen_len), "accept");
    union name own = own_name(client);
    must(getpeername(client, &peer.any, &peer_len), "getpeername");
    close(client);
    close(connection);
    return port_of(&seen) == port_of(&own) && port_of(&own) != placeholder &&
           port_of(&peer) == port_of(&name);
}

static int is_among(const union name *name, const union name *names, int count)
{
    for (int i = 0; i < count; i++)
        if (port_of(&names[i]) == port_of(name))
            return 1;
    return 0;
}

static void exhaust(const char *address, int type)
{
    enum { MOST = 64 };
    int fds[MOST], got = 0, given = 0, distinct = 0, reached = 0;
    union name any, names[MOST];
    socklen_t len = make_name(&any, address, 0);
    for (int fd; (fd = opened(any.any.sa_family, type)) >= 0 && got < MOST; got++) {
        if (bind(fd, &any.any, len) < 0) {
            printf("%s type %d: %d ports, then %s\n", address, type, got, strerror(errno));
            close(fd);
            break;
        }
        fds[got] = fd;
        names[got] = own_name(fd);
        distinct += !is_among(&names[got], names, got);
        given += port_of(&names[got]) == placeholder;
    }
    make_name(&any, address, placeholder);
    int own = opened(any.any.sa_family, type);
    must(bind(own, &any.any, len), "bind to the placeholder");
    if (type == SOCK_STREAM)
        must(listen(own, 5), "listen");
    /* Clients of streams have the free one of the ports: by turns each, so the placeholder's own as well. */
    for (int i = 0; i < got; i++)
        if (type == SOCK_DGRAM) {
            reached += talk(fds[i], own) && talk(own, fds[i]);
        } else {
            int other = (i + 1) % got;
            must(listen(fds[other], 5), "listen");
            close(fds[i]);
            reached += meet(own) && meet(fds[other]);
            fds[i] = opened(any.any.sa_family, type);
            int on = 1;
            setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            must(bind(fds[i], &names[i].any, len), "bind again");
        }
    printf("%d distinct, %d are the placeholder, %d reached\n", distinct, given, reached);
    for (int i = 0; i < got; i++)
        close(fds[i]);
    close(own);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    placeholder = (unsigned)atoi(argv[1]);
    exhaust("127.0.0.1", SOCK_DGRAM);
    exhaust("::1", SOCK_DGRAM);
    exhaust("127.0.0.1", SOCK_STREAM);
    exhaust("::1", SOCK_STREAM);
    return 0;
}
