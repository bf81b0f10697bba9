/*
 * address_in_use WAY PORT: prints what the kernel says to a second socket on one port, for every combination of
 * addresses and reuse options. Then starts a server again while its last connection is in TIME_WAIT.
 */
#include "calls.h"
#include "show.h"

struct end {
    const char *address;
    int v6only;
};

static const struct end ends[] = {
    {"0.0.0.0", 0}, {"127.0.0.1", 0},        {"127.0.0.2", 0},     {"::", 0}, {"::", 1}, {"::1", 0},
    {"::1", 1},     {"::ffff:127.0.0.1", 0}, {"::ffff:0.0.0.0", 0}};
enum { ENDS = sizeof ends / sizeof *ends };

enum { REUSEADDR = 1, REUSEPORT = 2, OPTIONS = 4 };
static const char *const options[OPTIONS] = {"no options", "SO_REUSEADDR", "SO_REUSEPORT", "both options"};

static const struct calls *by;
static unsigned port;

static int opened(const struct end *end, int type, int option)
{
    union name name;
    int on = 1;
    make_name(&name, end->address, port);
    int fd = must(socket(name.any.sa_family, type, 0), "socket");
    if (option & REUSEADDR)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (option & REUSEPORT)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (name.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &end->v6only, sizeof end->v6only);
    return fd;
}

static void show_bind(int fd, const struct end *end)
{
    union name name;
    socklen_t len = make_name(&name, end->address, port);
    printf(" bind");
    show_result(by->bind(fd, &name.any, len));
    len = sizeof name;
    memset(&name, 0, sizeof name);
    if (by->getsockname(fd, &name.any, &len) == 0)
        show_name(&name);
}

static void show_listen(int fd)
{
    printf(" listen");
    show_result(listen(fd, 1));
}

enum order { LISTEN_EARLY, LISTEN_LATE, DATAGRAMS, ORDERS };
static const char *const orders[ORDERS] = {"listening", "both bound", "UDP"};

static void two(const struct end *first, const struct end *second, int options1, int options2,
                enum order order)
{
    int type = order == DATAGRAMS ? SOCK_DGRAM : SOCK_STREAM;
    int fd1 = opened(first, type, options1), fd2 = opened(second, type, options2);
    printf("%s: %s%s with %s, %s%s with %s:", orders[order], first->address, first->v6only ? " only" : "",
           options[options1], second->address, second->v6only ? " only" : "", options[options2]);
    show_bind(fd1, first);
    if (order == LISTEN_EARLY)
        show_listen(fd1);
    show_bind(fd2, second);
    if (order == LISTEN_LATE)
        show_listen(fd1);
    if (order != DATAGRAMS)
        show_listen(fd2);
    putchar('\n');
    close(fd1);
    close(fd2);
}

static void matrix(void)
{
    for (int first = 0; first < ENDS; first++)
        for (int second = 0; second < ENDS; second++)
            for (int options1 = 0; options1 < OPTIONS; options1++)
                for (int options2 = 0; options2 < OPTIONS; options2++)
                    for (int order = 0; order < ORDERS; order++)
                        two(&ends[first], &ends[second], options1, options2, (enum order)order);
}

/* Binds, connects and listens on one socket in ways that make no sense. */
static void twice(const struct end *end, int type)
{
    int fd = opened(end, type, 0);
    printf("%s of type %d:", end->address, type);
    show_bind(fd, end);
    show_bind(fd, end);
    show_listen(fd);
    show_listen(fd);
    show_bind(fd, end);
    close(fd);
    fd = opened(end, type, 0);
    show_listen(fd); /* which binds it to a port that the kernel chooses */
    printf(" bind");
    union name name;
    socklen_t len = make_name(&name, end->address, port);
    show_result(by->bind(fd, &name, len));
    close(fd);
    putchar('\n');
}

/* The server closes first, so that its end gets into TIME_WAIT. */
static void connection(int listener, const struct end *end)
{
    union name name;
    char byte;
    socklen_t len = make_name(&name, end->address, port);
    int client = must(socket(name.any.sa_family, SOCK_STREAM, 0), "socket");
    must(connect(client, &name.any, len), "connect");
    int served = must(accept(listener, NULL, NULL), "accept");
    close(served);
    must((int)recv(client, &byte, 1, 0), "recv");
    close(client);
}

static void restart(const struct end *end, int options1, int options2)
{
    printf("restarted on %s with %s, then %s:", end->address, options[options1], options[options2]);
    int fd = opened(end, SOCK_STREAM, options1);
    show_bind(fd, end);
    show_listen(fd);
    connection(fd, end);
    close(fd);
    fd = opened(end, SOCK_STREAM, options2);
    show_bind(fd, end);
    show_listen(fd);
    putchar('\n');
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        return 2;
    by = calls_by(argv[1]);
    port = (unsigned)atoi(argv[2]);
    if (argc == 3) {
        matrix();
        for (int end = 0; end < ENDS; end++) {
            twice(&ends[end], SOCK_STREAM);
            twice(&ends[end], SOCK_DGRAM);
        }
        return 0;
    }
    /* Connections stay in TIME_WAIT, so the restart without the option comes last. */
    restart(&ends[1], REUSEADDR, REUSEADDR);
    restart(&ends[5], REUSEADDR, REUSEADDR);
    restart(&ends[1], REUSEADDR, 0);
    restart(&ends[5], REUSEADDR, 0);
    return 0;
}
