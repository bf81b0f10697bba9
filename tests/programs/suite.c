/*
 * suite PORT NAME ROUNDS FIFO: a test suite with a hard-coded port. Once somebody opens the fifo, each round
 * starts a server on the port, which answers everyone with NAME, and asks it by TCP and UDP, over IPv4 and IPv6,
 * and by multicast. At the end prints how many answers came from its own server, and how many from others.
 */
#include "show.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct channel {
    int type;
    const char *server, *to;
} channels[] = {{SOCK_STREAM, "127.0.0.1", "127.0.0.1"},
                {SOCK_STREAM, "::1", "::1"},
                {SOCK_DGRAM, "127.0.0.1", "127.0.0.1"},
                {SOCK_DGRAM, "::1", "::1"},
                {SOCK_DGRAM, "239.9.0.0", "239.9.0.0"}};
enum { CHANNELS = sizeof channels / sizeof *channels, MOST_NAME = 64 };

static unsigned port;
static const char *own_name;

static int opened(const struct channel *channel, const char *address, union name *name, socklen_t *len)
{
    struct ip_mreqn loopback = {.imr_address.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    int on = 1;
    *len = make_name(name, address, port);
    int fd = must(socket(name->any.sa_family, channel->type, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (channel->type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback);
    return fd;
}

static int serve_at(const struct channel *channel)
{
    union name name;
    socklen_t len;
    int fd = opened(channel, channel->server, &name, &len);
    must(bind(fd, &name.any, len), "%s: bind %s", own_name, channel->server);
    if (channel->type == SOCK_STREAM)
        must(listen(fd, 5), "listen");
    if (name.any.sa_family == AF_INET && IN_MULTICAST(ntohl(name.ipv4.sin_addr.s_addr))) {
        struct ip_mreqn group = {name.ipv4.sin_addr, {htonl(INADDR_LOOPBACK)}, 0};
        must(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), "join");
    }
    return fd;
}

static void answer(int fd, int type)
{
    union name from;
    socklen_t len = sizeof from;
    char question[MOST_NAME];
    if (type == SOCK_STREAM) {
        int connection = must(accept(fd, NULL, NULL), "accept");
        must((int)send(connection, own_name, strlen(own_name), MSG_NOSIGNAL), "send");
        recv(connection, question, sizeof question, 0); /* the client closes first */
        close(connection);
    } else {
        must((int)recvfrom(fd, question, sizeof question, 0, &from.any, &len), "recvfrom");
        must((int)sendto(fd, own_name, strlen(own_name), 0, &from.any, len), "sendto");
    }
}

static void serve(int ready)
{
    struct pollfd polled[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        polled[i] = (struct pollfd){.fd = serve_at(&channels[i]), .events = POLLIN};
    close(ready);
    for (;;) {
        must(poll(polled, CHANNELS, -1), "poll");
        for (int i = 0; i < CHANNELS; i++)
            if (polled[i].revents & POLLIN)
                answer(polled[i].fd, channels[i].type);
    }
}

/* Whether the answer is our own server's. */
static int ask(const struct channel *channel)
{
    union name name, from = {0};
    socklen_t len;
    char text[MOST_NAME] = {0};
    int fd = opened(channel, channel->to, &name, &len);
    if (channel->type == SOCK_STREAM)
        must(connect(fd, &name.any, len), "%s: connect", own_name);
    else
        must((int)sendto(fd, "?", 1, 0, &name.any, len), "%s: sendto", own_name);
    len = sizeof from;
    must((int)recvfrom(fd, text, sizeof text - 1, 0, &from.any, &len), "%s: recvfrom", own_name);
    close(fd);
    if (channel->type == SOCK_DGRAM && ntohs(from.ipv4.sin_port) != port)
        return 0;
    return strcmp(text, own_name) == 0;
}

static pid_t start_server(void)
{
    int ready[2];
    char byte;
    must(pipe(ready), "pipe");
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        close(ready[0]);
        serve(ready[1]);
    }
    close(ready[1]);
    must((int)read(ready[0], &byte, 1),
         "read"); /* end of file: the server is ready or gone */
    close(ready[0]);
    return pid;
}

int main(int argc, char **argv)
{
    int own = 0, others = 0;
    if (argc != 5)
        return 2;
    port = (unsigned)atoi(argv[1]);
    own_name = argv[2];
    puts("ready");
    fflush(stdout);
    close(must(open(argv[4], O_RDONLY), "open"));
    for (int round = 0; round < atoi(argv[3]); round++) {
        pid_t server = start_server();
        for (int i = 0; i < CHANNELS; i++)
            *(ask(&channels[i]) ? &own : &others) += 1;
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    printf("%d own, %d others\n", own, others);
    return 0;
}
