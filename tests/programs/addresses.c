/*
 * addresses WAY SERVER-PORT CLIENT-PORT: makes every call that returns an address, with buffers of every size.
 * Bytes beyond the buffer, and beyond the address, must not change.
 */
#include "calls.h"
#include "show.h"

enum { MOST_ROOM = 32, FILLING = 0xa5 };

struct pair {
    const char *name, *server, *client; /* addresses */
};

static const struct pair pairs[] = {
    {"IPv4", "127.0.0.1", "127.0.0.1"},
    {"second IPv4", "127.1.2.3", "127.0.0.1"},
    {"IPv6", "::1", "::1"},
    {"mapped", "::", "127.0.0.1"},
    {"mapped to mapped", "::", "::ffff:127.0.0.1"},
};

static const struct calls *by;
static unsigned server_port, client_port;
static unsigned char buffer[MOST_ROOM + 16];
static socklen_t length;

static void begin(socklen_t room)
{
    memset(buffer, FILLING, sizeof buffer);
    length = room;
}

static void show(const char *call, socklen_t room, long result)
{
    printf("%s room %u:", call, room);
    show_success(result);
    printf(" length %u", length);
    show_bytes(buffer, sizeof buffer);
    putchar('\n');
}

static int bound(int type, const char *address, unsigned port)
{
    union name name;
    int on = 1;
    socklen_t len = make_name(&name, address, port);
    int fd = must(socket(name.any.sa_family, type, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, &name.any, len), "bind %s", address);
    return fd;
}

static void connect_to(int fd, const char *address)
{
    union name name;
    socklen_t len = make_name(&name, address, server_port);
    must(connect(fd, &name.any, len), "connect %s", address);
}

static const char *to(const struct pair *pair)
{
    return strcmp(pair->server, "::") == 0 ? pair->client : pair->server;
}

static void one_connection(const struct pair *pair, int listener, socklen_t room)
{
    for (int four = 0; four < 2; four++) {
        int client = bound(SOCK_STREAM, pair->client, client_port);
        connect_to(client, to(pair));
        begin(room);
        int connection =
            four ? by->accept4(listener, buffer, &length) : by->accept(listener, buffer, &length);
        show(four ? "accept4" : "accept", room, connection);
        begin(room);
        show("its own name", room, by->getsockname(connection, buffer, &length));
        begin(room);
        show("its peer's", room, by->getpeername(connection, buffer, &length));
        begin(room);
        show("the client's own name", room, by->getsockname(client, buffer, &length));
        begin(room);
        show("its server's", room, by->getpeername(client, buffer, &length));
        reset(client);
        close(connection);
    }
}

static void stream(const struct pair *pair)
{
    int listener = bound(SOCK_STREAM, pair->server, server_port);
    must(listen(listener, 8), "listen");
    for (socklen_t room = 0; room <= MOST_ROOM; room++) {
        begin(room);
        show("getsockname", room, by->getsockname(listener, buffer, &length));
        begin(room);
        show("getpeername", room, by->getpeername(listener, buffer, &length));
        one_connection(pair, listener, room);
    }
    close(listener);
}

static void by_recvfrom(int server, int client, socklen_t room)
{
    char byte;
    must((int)send(client, "x", 1, 0), "send");
    begin(room);
    show("recvfrom", room, by->recvfrom(server, &byte, 1, 0, buffer, &length));
}

static void by_recvmsg(int server, int client, socklen_t room)
{
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_name = buffer, .msg_namelen = room, .msg_iov = &part, .msg_iovlen = 1};
    must((int)send(client, "x", 1, 0), "send");
    begin(room);
    long received = by->recvmsg(server, &message, 0);
    length = message.msg_namelen;
    show("recvmsg", room, received);
    printf("flags %x, control %zu, name %s\n", (unsigned)message.msg_flags, message.msg_controllen,
           message.msg_name == buffer ? "kept" : "moved");
}

/* More messages than a library might handle at a time, each with a buffer of another size. */
static void by_recvmmsg(int server, int client)
{
    enum { COUNT = MOST_ROOM + 1 };
    static unsigned char buffers[COUNT][sizeof buffer];
    static char bytes[COUNT];
    struct mmsghdr messages[COUNT];
    struct iovec parts[COUNT];
    int received = 0;
    for (int i = 0; i < COUNT; i++) {
        must((int)send(client, "x", 1, 0), "send");
        memset(buffers[i], FILLING, sizeof buffers[i]);
        parts[i] = (struct iovec){&bytes[i], 1};
        messages[i] = (struct mmsghdr){
            .msg_hdr = {
                .msg_name = buffers[i], .msg_namelen = (socklen_t)i, .msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    while (received < COUNT)
        received +=
            must(by->recvmmsg(server, messages + received, (unsigned)(COUNT - received), 0), "recvmmsg");
    for (int i = 0; i < COUNT; i++) {
        memcpy(buffer, buffers[i], sizeof buffer);
        length = messages[i].msg_hdr.msg_namelen;
        show("recvmmsg", (socklen_t)i, messages[i].msg_len);
        printf("name %s\n", messages[i].msg_hdr.msg_name == buffers[i] ? "kept" : "moved");
    }
}

static void datagram(const struct pair *pair)
{
    int server = bound(SOCK_DGRAM, pair->server, server_port);
    int client = bound(SOCK_DGRAM, pair->client, client_port);
    connect_to(client, to(pair));
    for (socklen_t room = 0; room <= MOST_ROOM; room++) {
        begin(room);
        show("getsockname", room, by->getsockname(server, buffer, &length));
        begin(room);
        show("getpeername", room, by->getpeername(client, buffer, &length));
        by_recvfrom(server, client, room);
        by_recvmsg(server, client, room);
    }
    by_recvmmsg(server, client);
    close(server);
    close(client);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    by = calls_by(argv[1]);
    server_port = (unsigned)atoi(argv[2]);
    client_port = (unsigned)atoi(argv[3]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        printf("%s, TCP\n", pairs[i].name);
        stream(&pairs[i]);
        printf("%s, UDP\n", pairs[i].name);
        datagram(&pairs[i]);
    }
    return 0;
}
