/*
 * groups PORT NAME INTERFACE SEND-FIFO COUNT-FIFO ADDRESS...: listens at multicast and broadcast addresses and
 * prints "ready". When somebody opens SEND-FIFO, sends NAME to all of them in four ways and prints "sent". When
 * somebody opens COUNT-FIFO, prints all that it has received.
 */
#include "show.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

enum { OWN = 4 }; /* so many messages come from this program to each target */

static unsigned interface;

static socklen_t make_target(union name *name, const char *target, unsigned port)
{
    socklen_t len = make_name(name, target, port);
    if (name->any.sa_family == AF_INET6)
        name->ipv6.sin6_scope_id = interface;
    return len;
}

static int opened(int family)
{
    struct ip_mreqn by = {.imr_ifindex = (int)interface};
    int on = 1, fd = must(socket(family, SOCK_DGRAM, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    return fd;
}

static int receiver(const char *target, unsigned port)
{
    union name name;
    socklen_t len = make_target(&name, target, port);
    struct timeval patience = {.tv_sec = 30};
    int fd = opened(name.any.sa_family);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    must(bind(fd, &name.any, len), "bind %s", target);
    if (name.any.sa_family == AF_INET6) {
        struct ipv6_mreq group = {name.ipv6.sin6_addr, interface};
        must(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group), "join %s", target);
    } else if (IN_MULTICAST(ntohl(name.ipv4.sin_addr.s_addr))) {
        struct ip_mreqn group = {.imr_multiaddr = name.ipv4.sin_addr, .imr_ifindex = (int)interface};
        must(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), "join %s", target);
    }
    return fd;
}

static void send_to(const char *target, unsigned port, const char *text)
{
    union name name;
    socklen_t len = make_target(&name, target, port);
    struct iovec part = {(char *)text, strlen(text)};
    struct mmsghdr message = {
        .msg_hdr = {.msg_name = &name, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1}};
    int fd = opened(name.any.sa_family);
    must((int)sendto(fd, text, strlen(text), 0, &name.any, len), "sendto %s", target);
    must((int)sendmsg(fd, &message.msg_hdr, 0), "sendmsg");
    must(sendmmsg(fd, &message, 1, 0), "sendmmsg");
    must(connect(fd, &name.any, len), "connect");
    must((int)send(fd, text, strlen(text), 0), "send");
    close(fd);
}

static void wait_for(const char *fifo)
{
    close(must(open(fifo, O_RDONLY), "%s", fifo));
}

int main(int argc, char **argv)
{
    int heard[16], first = 6;
    if (argc <= first || argc > first + 16)
        return 2;
    unsigned port = (unsigned)atoi(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    interface = if_nametoindex(argv[3]);
    for (int i = first; i < argc; i++)
        heard[i - first] = receiver(argv[i], port);
    puts("ready");
    wait_for(argv[4]);
    for (int i = first; i < argc; i++)
        send_to(argv[i], port, argv[2]);
    puts("sent");
    wait_for(argv[5]);
    for (int i = first; i < argc; i++) {
        char text[64];
        int left = OWN; /* those are waited for: a busy kernel delivers later */
        for (ssize_t len; (len = recv(heard[i - first], text, sizeof text, left-- > 0 ? 0 : MSG_DONTWAIT)) > 0;)
            printf("%s heard %.*s\n", argv[i], (int)len, text);
    }
    return 0;
}
