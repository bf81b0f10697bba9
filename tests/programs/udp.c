/*
 * udp WAY PORT PORT: prints what clients and servers over UDP see of each other. When it is wrapped, both ports
 * are placeholders. Other clients have ports of the kernel's choice, which are not printed.
 */
#include "calls.h"
#include "show.h"

#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>

static const struct calls *by;
static unsigned port, other_port;

struct pair {
    const char *server, *to,
        *client; /* where the server is bound, where the client sends, where it is bound */
};

static const struct pair pairs[] = {
    {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
    {"0.0.0.0", "127.0.0.1", "127.0.0.1"},
    {"0.0.0.0", "127.3.2.1", "0.0.0.0"},
    {"0.0.0.0", "0.0.0.0", "127.0.0.1"},
    {"::1", "::1", "::1"},
    {"::", "::1", "::"},
    {"::", "::", "::"},
    {"::", "127.0.0.1", "127.0.0.1"},
    {"::", "::ffff:127.0.0.1", "::"},
    {"127.0.0.1", "::ffff:127.0.0.1", "::"},
    {"::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"},
};

static int bound(const char *address, unsigned at)
{
    union name name;
    socklen_t len = make_name(&name, address, at);
    struct timeval patience = {.tv_sec = 30};
    int on = 1, off = 0, fd = must(socket(name.any.sa_family, SOCK_DGRAM, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    must(by->bind(fd, &name, len), "bind %s", address);
    return fd;
}

/* Prints a name without its port if the kernel chose that, as it differs each time. */
static void show_source(union name *name)
{
    unsigned at = ntohs(name->ipv4.sin_port);
    if (at != port && at != other_port)
        name->ipv4.sin_port = 0;
    show_name(name);
}

static void show_received(int fd, union name *source, socklen_t *len)
{
    char byte = '?';
    *len = sizeof *source;
    memset(source, 0, sizeof *source);
    long received = by->recvfrom(fd, &byte, 1, 0, source, len);
    printf(" received");
    show_result(received);
    printf(" %c from", byte);
    show_source(source);
}

/* A server that answers every client. */
static void unconnected(const struct pair *pair, unsigned client_port)
{
    union name to, source;
    socklen_t len = make_name(&to, pair->to, port);
    int server = bound(pair->server, port), client = bound(pair->client, client_port);
    printf("unconnected %s %s %s:", pair->server, pair->to, pair->client);
    show_result(by->sendto(client, "a", 1, 0, &to, len));
    show_received(server, &source, &len);
    close(server);
    putchar('\n');
    close(client);
}

static void answered(const struct pair *pair, unsigned client_port)
{
    union name to, source;
    socklen_t len = make_name(&to, pair->to, port);
    int server = bound(pair->server, port), client = bound(pair->client, client_port);
    char byte = '?';
    printf("answered %s %s %s:", pair->server, pair->to, pair->client);
    show_result(by->sendto(client, "a", 1, 0, &to, len));
    len = sizeof source;
    show_result(by->recvfrom(server, &byte, 1, 0, &source, &len));
    show_result(by->sendto(server, "b", 1, 0, &source, len));
    show_received(client, &source, &len);
    putchar('\n');
    close(server);
    close(client);
}

/* Both ends are connected: they receive datagrams from the peer's port only. */
static void connected(const struct pair *pair)
{
    union name to, source, back;
    char byte = '?';
    socklen_t len = make_name(&to, pair->to, port);
    int server = bound(pair->server, port), client = bound(pair->client, 0);
    int stray = bound(pair->client, other_port);
    printf("connected %s %s %s:", pair->server, pair->to, pair->client);
    show_result(by->connect(client, &to, len));
    len = sizeof back;
    show_result(by->getpeername(client, &back, &len));
    show_name(&back);
    show_result(send(client, "a", 1, 0));
    len = sizeof source;
    show_result(by->recvfrom(server, &byte, 1, 0, &source, &len));
    show_result(by->sendto(stray, "s", 1, 0, &source, len));
    show_result(by->connect(server, &source, len));
    show_result(send(server, "b", 1, 0));
    show_received(client, &back, &len);
    putchar('\n');
    close(server);
    close(client);
    close(stray);
}

/* A client and a server on two placeholders see each other at these. */
static void between_placeholders(const struct pair *pair)
{
    unconnected(pair, other_port);
    answered(pair, other_port);
}

/* Vectors whose messages go to different places, and come from there; one has no name, one is to nobody. */
static void mixed(void)
{
    enum { SERVERS = 3, COUNT = 40 };
    union name to[SERVERS], sources[COUNT];
    int server[SERVERS] = {bound("127.0.0.1", port), bound("127.0.0.1", other_port), bound("127.0.0.1", 0)};
    int client = bound("127.0.0.1", 0);
    static char bytes[COUNT];
    struct mmsghdr messages[COUNT];
    struct iovec parts[COUNT];
    for (int i = 0; i < SERVERS; i++) {
        socklen_t len = sizeof to[i];
        must(by->getsockname(server[i], &to[i], &len), "getsockname");
    }
    for (int i = 0; i < COUNT; i++) {
        bytes[i] = (char)('A' + i % 26);
        parts[i] = (struct iovec){&bytes[i], 1};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &to[i % SERVERS],
                                                   .msg_namelen = sizeof to[0].ipv4,
                                                   .msg_iov = &parts[i],
                                                   .msg_iovlen = 1}};
    }
    printf("sendmmsg:");
    show_result(by->sendmmsg(client, messages, COUNT, 0));
    for (int i = 0; i < COUNT; i++)
        printf(" %u%s", messages[i].msg_len,
               messages[i].msg_hdr.msg_name == &to[i % SERVERS] ? "" : " moved");
    putchar('\n');
    for (int i = 0; i < SERVERS; i++) {
        int left = (COUNT - i + SERVERS - 1) / SERVERS; /* those are waited for: a busy kernel delivers later */
        printf("server %d:", i);
        for (char byte; recv(server[i], &byte, 1, left-- > 0 ? 0 : MSG_DONTWAIT) == 1;)
            putchar(byte);
        putchar('\n');
    }
    union name back;
    socklen_t len = sizeof back;
    must(by->getsockname(client, &back, &len), "getsockname");
    for (int i = 0; i < COUNT; i++) {
        bytes[i] = (char)('a' + i % 26);
        must((int)by->sendto(server[i % SERVERS], &bytes[i], 1, 0, &back, len), "sendto");
    }
    memset(bytes, 0, sizeof bytes);
    for (int i = 0; i < COUNT; i++)
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &sources[i],
                                                   .msg_namelen = sizeof sources[i].ipv4,
                                                   .msg_iov = &parts[i],
                                                   .msg_iovlen = 1}};
    /* Receive all by one call, which shows whether the library stops early. */
    printf("recvmmsg:");
    show_result(by->recvmmsg(client, messages, COUNT, 0));
    putchar('\n');
    for (int i = 0; i < COUNT; i++) {
        printf("%c %u %u", bytes[i], messages[i].msg_len, messages[i].msg_hdr.msg_namelen);
        show_source(&sources[i]);
        putchar('\n');
    }
    for (int i = 0; i < SERVERS; i++)
        close(server[i]);
    close(client);
}

/* The original destination in control messages, with room for all of it and for a part. */
static void original_destination(const char *address, int level, int option, int type)
{
    union name to;
    socklen_t len = make_name(&to, address, port);
    for (size_t room = 0; room <= 64; room += 4) {
        int server = bound(to.any.sa_family == AF_INET ? "0.0.0.0" : "::", port),
            client = bound(address, other_port);
        int on = 1;
        char byte, control[64] __attribute__((aligned(8)));
        union name source;
        struct iovec part = {&byte, 1};
        struct msghdr message = {.msg_name = &source,
                                 .msg_namelen = sizeof source,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = room};
        memset(control, 0xa5, sizeof control);
        must(setsockopt(server, level, option, &on, sizeof on), "setsockopt");
        must((int)by->sendto(client, "x", 1, 0, &to, len), "sendto");
        printf("destination of %s, room %zu:", address, room);
        show_result(by->recvmsg(server, &message, 0));
        show_source(&source);
        printf(" flags %x, control %zu, type %d:", (unsigned)message.msg_flags, message.msg_controllen,
               room >= sizeof(struct cmsghdr) && CMSG_FIRSTHDR(&message)->cmsg_type == type);
        show_bytes(control, sizeof control);
        putchar('\n');
        close(server);
        close(client);
    }
}

/* Sends to a port without a server: the kernel's error, and the destination that it names. */
static void refused(const char *address, int level, int option)
{
    union name to, about;
    socklen_t len = make_name(&to, address, port);
    int fd = must(socket(to.any.sa_family, SOCK_DGRAM, 0), "socket"), on = 1;
    char byte, control[256] __attribute__((aligned(8)));
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_name = &about,
                             .msg_namelen = sizeof about,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct pollfd error = {.fd = fd};
    must(setsockopt(fd, level, option, &on, sizeof on), "setsockopt");
    printf("refused %s:", address);
    show_result(by->sendto(fd, "x", 1, 0, &to, len));
    must(poll(&error, 1, 30000), "poll");
    show_result(by->recvmsg(fd, &message, MSG_ERRQUEUE));
    show_name(&about);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        struct sock_extended_err what;
        memcpy(&what, CMSG_DATA(c), sizeof what);
        printf(" level %d type %d errno %u origin %u", c->cmsg_level, c->cmsg_type, what.ee_errno,
               what.ee_origin);
        show_name((union name *)SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(c)));
    }
    putchar('\n');
    close(fd);
    fd = must(socket(to.any.sa_family, SOCK_DGRAM, 0), "socket");
    printf("refused %s, connected:", address);
    show_result(by->connect(fd, &to, len));
    show_result(send(fd, "x", 1, 0));
    error.fd = fd;
    must(poll(&error, 1, 30000), "poll");
    show_result(send(fd, "x", 1, 0));
    putchar('\n');
    close(fd);
}

/* TCP fast open: sendto(), sendmsg() or sendmmsg() connects and sends at once. */
static void fast_open(const char *address, int call)
{
    union name to, peer;
    socklen_t len = make_name(&to, address, port), peer_len = sizeof peer;
    int listener = must(socket(to.any.sa_family, SOCK_STREAM, 0), "socket"), on = 1, queue = 5;
    int client = must(socket(to.any.sa_family, SOCK_STREAM, 0), "socket");
    char bytes[8] = {0};
    struct iovec part = {"hello", 5};
    struct mmsghdr message = {
        .msg_hdr = {.msg_name = &to, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1}};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue);
    must(by->bind(listener, &to, len), "bind");
    must(listen(listener, 5), "listen");
    printf("fast open %s:", address);
    if (call == 0)
        show_result(by->sendto(client, "hello", 5, MSG_FASTOPEN, &to, len));
    else if (call == 1)
        show_result(by->sendmsg(client, &message.msg_hdr, MSG_FASTOPEN));
    else
        show_result(by->sendmmsg(client, &message, 1, MSG_FASTOPEN));
    show_result(by->getpeername(client, &peer, &peer_len));
    show_name(&peer);
    int connection = must(accept(listener, NULL, NULL), "accept");
    show_result(recv(connection, bytes, 5, MSG_WAITALL));
    printf(" %s\n", bytes);
    close(client);
    close(connection);
    close(listener);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    by = calls_by(argv[1]);
    port = (unsigned)atoi(argv[2]);
    other_port = (unsigned)atoi(argv[3]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        unconnected(&pairs[i], 0);
        answered(&pairs[i], 0);
        if (strcmp(pairs[i].to, "127.3.2.1") != 0) /* 127.0.0.1 would answer, not this address */
            connected(&pairs[i]);
        between_placeholders(&pairs[i]);
    }
    mixed();
    original_destination("127.0.0.1", IPPROTO_IP, IP_RECVORIGDSTADDR, IP_ORIGDSTADDR);
    original_destination("::1", IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, IPV6_ORIGDSTADDR);
    refused("127.0.0.1", IPPROTO_IP, IP_RECVERR);
    refused("::1", IPPROTO_IPV6, IPV6_RECVERR);
    for (int call = 0; call < 3; call++) {
        fast_open("127.0.0.1", call);
        fast_open("::1", call);
    }
    return 0;
}
