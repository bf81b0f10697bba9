/*
 * ask PORT OWN_PORT: asks a server that tells who it is (tell.c, go_server.go), over TCP and UDP and in
 * several ways. Prints the answers and what a client sees: the peer's address, and the source of each
 * datagram. Its own datagrams come from OWN_PORT. Written for every libc and word size; go_client.go prints
 * the same.
 */
#include "show.h"

#include <sys/time.h>

enum { MOST = 1000 };

static unsigned own_port;

static int opened(const char *address, int type)
{
    union name name;
    struct timeval patience = {.tv_sec = 60};
    make_name(&name, address, 0);
    int fd = must(socket(name.any.sa_family, type, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* A datagram socket with a port of its own. */
static int bound(const char *address)
{
    union name name;
    int fd = opened(address, SOCK_DGRAM);
    socklen_t len = make_name(&name, strchr(address, ':') != NULL ? "::1" : "127.0.0.1", own_port);
    must(bind(fd, &name.any, len), "bind");
    return fd;
}

static void print(const char *what, const union name *from, const char *bytes)
{
    printf("%s", what);
    show_name(from);
    printf(" %s", bytes);
}

static void ask_stream(const char *address, unsigned port)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    char bytes[MOST] = "";
    union name name;
    size_t got = 0;
    ssize_t part;
    int fd = opened(address, SOCK_STREAM);
    socklen_t len = make_name(&name, address, port);
    must(connect(fd, &name.any, len), "connect");
    len = sizeof name;
    memset(&name, 0, sizeof name);
    must(getpeername(fd, &name.any, &len), "getpeername");
    must((int)write(fd, request, sizeof request - 1), "write");
    while ((part = read(fd, bytes + got, sizeof bytes - 1 - got)) > 0)
        got += (size_t)part;
    bytes[got] = 0;
    const char *body = strstr(bytes, "\r\n\r\n");
    print("tcp", &name, body == NULL ? "no answer\n" : body + 4);
    close(fd);
}

static void ask_sendto(const char *address, unsigned port)
{
    char bytes[MOST] = "";
    union name name;
    int fd = bound(address);
    socklen_t len = make_name(&name, address, port);
    must((int)sendto(fd, "x", 1, 0, &name.any, len), "sendto");
    memset(&name, 0, sizeof name);
    len = sizeof name;
    must((int)recvfrom(fd, bytes, sizeof bytes - 1, 0, &name.any, &len), "recvfrom");
    print("sendto", &name, bytes);
    close(fd);
}

static void ask_sendmsg(const char *address, unsigned port)
{
    char bytes[MOST] = "x";
    union name name;
    struct iovec part = {bytes, 1};
    struct msghdr message = {.msg_name = &name, .msg_iov = &part, .msg_iovlen = 1};
    int fd = bound(address);
    message.msg_namelen = make_name(&name, address, port);
    must((int)sendmsg(fd, &message, 0), "sendmsg");
    memset(&name, 0, sizeof name);
    memset(bytes, 0, sizeof bytes);
    message.msg_namelen = sizeof name;
    part.iov_len = sizeof bytes - 1;
    must((int)recvmsg(fd, &message, 0), "recvmsg");
    print("sendmsg", &name, bytes);
    close(fd);
}

static void ask_sendmmsg(const char *address, unsigned port)
{
    enum { COUNT = 2 };
    char bytes[COUNT][MOST] = {"x", "x"};
    union name name[COUNT];
    struct iovec part[COUNT] = {{bytes[0], 1}, {bytes[1], 1}};
    struct mmsghdr messages[COUNT];
    memset(messages, 0, sizeof messages);
    int fd = bound(address);
    for (int i = 0; i < COUNT; i++) {
        messages[i].msg_hdr.msg_name = &name[i];
        messages[i].msg_hdr.msg_namelen = make_name(&name[i], address, port);
        messages[i].msg_hdr.msg_iov = &part[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    must(sendmmsg(fd, messages, COUNT, 0), "sendmmsg");
    for (int i = 0; i < COUNT; i++) {
        memset(&name[i], 0, sizeof name[i]);
        memset(bytes[i], 0, sizeof bytes[i]);
        messages[i].msg_hdr.msg_namelen = sizeof name[i];
        part[i].iov_len = MOST - 1;
    }
    must(recvmmsg(fd, messages, COUNT, 0, NULL), "recvmmsg");
    for (int i = 0; i < COUNT; i++)
        print("sendmmsg", &name[i], bytes[0]);
    close(fd);
}

static void ask_connected(const char *address, unsigned port)
{
    char bytes[MOST] = "";
    union name name;
    int fd = bound(address);
    socklen_t len = make_name(&name, address, port);
    must(connect(fd, &name.any, len), "connect");
    must((int)send(fd, "x", 1, 0), "send");
    must((int)recv(fd, bytes, sizeof bytes - 1, 0), "recv");
    memset(&name, 0, sizeof name);
    len = sizeof name;
    must(getpeername(fd, &name.any, &len), "getpeername");
    print("connected", &name, bytes);
    close(fd);
}

int main(int argc, char **argv)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    if (argc != 3)
        return 2;
    unsigned port = (unsigned)atoi(argv[1]);
    own_port = (unsigned)atoi(argv[2]);
    for (int i = 0; i < 2; i++) {
        ask_stream(addresses[i], port);
        ask_sendto(addresses[i], port);
        ask_sendmsg(addresses[i], port);
        ask_sendmmsg(addresses[i], port);
        ask_connected(addresses[i], port);
    }
    return 0;
}
