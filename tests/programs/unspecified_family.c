/*
 * unspecified_family WAY PORT: uses AF_UNSPEC, which counts as IPv4 in bind() and in a datagram's destination,
 * and makes connect() disconnect.
 */
#include "calls.h"
#include "show.h"

#include <poll.h>
#include <stdint.h>

static const struct calls *by;
static unsigned port;

static const char *const addresses[] = {"0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1"};
enum { ADDRESSES = sizeof addresses / sizeof *addresses };

static socklen_t make_unspecified(union name *name, const char *address)
{
    socklen_t len = make_name(name, address, port);
    name->any.sa_family = AF_UNSPEC;
    return len;
}

static void show_own_name(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    printf(", own name");
    show_result(by->getsockname(fd, &name, &len));
    show_name(&name);
}

static void show_peer(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    printf(", peer");
    show_result(by->getpeername(fd, &name, &len));
    if (name.any.sa_family != AF_UNSPEC)
        show_name(&name);
}

static void bind_unspecified(int family, int type, const char *address, socklen_t shorter)
{
    union name name;
    socklen_t len = make_unspecified(&name, address) - shorter;
    int fd = must(socket(family, type, 0), "socket");
    printf("bind family %d type %d %s length %u:", family, type, address, len);
    show_result(by->bind(fd, &name, len));
    show_own_name(fd);
    putchar('\n');
    close(fd);
}

static int server(const char *address)
{
    union name name;
    socklen_t len = make_name(&name, address, port);
    int fd = must(socket(name.any.sa_family, SOCK_DGRAM, 0), "socket");
    must(by->bind(fd, &name, len), "bind");
    return fd;
}

/* What was sent since this was last asked. */
static int sent;

static void show_sent(long result)
{
    sent += result > 0;
    show_result(result);
}

/* As many datagrams as were sent are waited for: a busy kernel delivers later. */
static void show_arrived(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;
    int arrived = 0;
    while ((arrived >= sent || poll(&ready, 1, 30000) > 0) && recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
        arrived++;
    sent = 0;
    printf(", %d arrived", arrived);
}

static void send_unspecified(int family, const char *address)
{
    union name name;
    socklen_t len = make_unspecified(&name, address);
    int receiver = server(family == AF_INET ? "0.0.0.0" : "::"),
        fd = must(socket(family, SOCK_DGRAM, 0), "socket");
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_name = &name, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr vector = {.msg_hdr = message};
    printf("sendto family %d %s:", family, address);
    show_sent(by->sendto(fd, "x", 1, 0, &name, len));
    show_arrived(receiver);
    printf(", sendmsg");
    show_sent(by->sendmsg(fd, &message, 0));
    show_arrived(receiver);
    printf(", sendmmsg");
    show_sent(by->sendmmsg(fd, &vector, 1, 0));
    show_arrived(receiver);
    putchar('\n');
    close(fd);
    close(receiver);
}

/* Connected, disconnected, and connected once more. */
static void disconnect(const char *address, socklen_t len)
{
    union name name, unspecified;
    socklen_t whole = make_name(&name, address, port);
    int receiver = server(address), fd = must(socket(name.any.sa_family, SOCK_DGRAM, 0), "socket");
    make_unspecified(&unspecified, address);
    printf("connect %s length %u:", address, len);
    show_result(by->connect(fd, &name, whole));
    show_peer(fd);
    printf(", disconnect");
    show_result(by->connect(fd, &unspecified, len));
    show_peer(fd);
    printf(", send");
    show_sent(send(fd, "x", 1, 0));
    printf(", again");
    show_result(by->connect(fd, &name, whole));
    show_peer(fd);
    printf(", send");
    show_sent(send(fd, "x", 1, 0));
    show_arrived(receiver);
    putchar('\n');
    close(fd);
    close(receiver);
}

/* A bound socket keeps its port when it is disconnected. */
static void disconnect_bound(const char *address)
{
    union name name, unspecified;
    socklen_t whole = make_name(&name, address, port);
    int fd = server(address);
    make_unspecified(&unspecified, address);
    printf("bound, connected to itself %s:", address);
    show_result(by->connect(fd, &name, whole));
    show_own_name(fd);
    show_peer(fd);
    show_result(by->connect(fd, &unspecified, whole));
    show_own_name(fd);
    show_peer(fd);
    putchar('\n');
    close(fd);
}

static void disconnect_stream(const char *address)
{
    union name name, unspecified;
    socklen_t whole = make_name(&name, address, port);
    int listener = must(socket(name.any.sa_family, SOCK_STREAM, 0), "socket"), on = 1;
    int fd = must(socket(name.any.sa_family, SOCK_STREAM, 0), "socket");
    make_unspecified(&unspecified, address);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(by->bind(listener, &name, whole), "bind");
    must(listen(listener, 2), "listen");
    printf("stream %s:", address);
    show_result(by->connect(fd, &name, whole));
    show_peer(fd);
    show_result(by->connect(fd, &unspecified, whole));
    show_peer(fd);
    show_result(by->connect(fd, &name, whole));
    show_peer(fd);
    putchar('\n');
    close(fd);
    close(listener);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    by = calls_by(argv[1]);
    port = (unsigned)atoi(argv[2]);
    for (int i = 0; i < ADDRESSES; i++)
        for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
            for (socklen_t shorter = 0; shorter < 16; shorter++) {
                bind_unspecified(AF_INET, type, addresses[i], shorter);
                bind_unspecified(AF_INET6, type, addresses[i], shorter);
            }
    for (int i = 0; i < ADDRESSES; i++) {
        send_unspecified(AF_INET, addresses[i]);
        send_unspecified(AF_INET6, addresses[i]);
    }
    for (int i = 1; i < ADDRESSES; i++) {
        if (i == 3)
            continue;
        for (socklen_t len = 0; len <= 28; len += 2)
            disconnect(addresses[i], len);
        disconnect_bound(addresses[i]);
        disconnect_stream(addresses[i]);
    }
    return 0;
}
