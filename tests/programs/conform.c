/*
 * conform SERVER FREE: prints what every call about ports answers on sockets of every kind, in every state
 * and with odd arguments, so that it can be compared bare and in a run. SERVER and FREE are two port numbers,
 * in the run two placeholders; they are printed by these names. A port of the kernel's choice is printed as
 * "other".
 *
 * bad_pointers.c and addresses.c have the bad pointers and lengths.
 */
#include "show.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static unsigned server, spare;

/* musl and glibc have different words for an error, and not both have strerrorname_np(). */
static const char *error_name(int error)
{
    static const struct {
        int error;
        const char *name;
    } names[] = {{EPERM, "EPERM"},
                 {EINTR, "EINTR"},
                 {EBADF, "EBADF"},
                 {EAGAIN, "EAGAIN"},
                 {EACCES, "EACCES"},
                 {EFAULT, "EFAULT"},
                 {EINVAL, "EINVAL"},
                 {ENODEV, "ENODEV"},
                 {ENOTSOCK, "ENOTSOCK"},
                 {EDESTADDRREQ, "EDESTADDRREQ"},
                 {EMSGSIZE, "EMSGSIZE"},
                 {EPROTOTYPE, "EPROTOTYPE"},
                 {ENOPROTOOPT, "ENOPROTOOPT"},
                 {EPROTONOSUPPORT, "EPROTONOSUPPORT"},
                 {EOPNOTSUPP, "EOPNOTSUPP"},
                 {EAFNOSUPPORT, "EAFNOSUPPORT"},
                 {EADDRINUSE, "EADDRINUSE"},
                 {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
                 {ENETUNREACH, "ENETUNREACH"},
                 {ECONNRESET, "ECONNRESET"},
                 {EISCONN, "EISCONN"},
                 {ENOTCONN, "ENOTCONN"},
                 {EPIPE, "EPIPE"},
                 {ETIMEDOUT, "ETIMEDOUT"},
                 {ECONNREFUSED, "ECONNREFUSED"},
                 {ECONNABORTED, "ECONNABORTED"},
                 {EHOSTUNREACH, "EHOSTUNREACH"},
                 {EALREADY, "EALREADY"},
                 {EINPROGRESS, "EINPROGRESS"},
                 {ENOSYS, "ENOSYS"},
                 {ENOENT, "ENOENT"},
                 {ENOBUFS, "ENOBUFS"}};
    static char number[20];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            return names[i].name;
    snprintf(number, sizeof number, "error %d", error);
    return number;
}

static void result(const char *what, long value)
{
    if (value < 0)
        printf(" %s %s", what, error_name(errno));
    else
        printf(" %s %ld", what, value);
}

/* For what returns a descriptor. */
static void success(const char *what, long value)
{
    result(what, value < 0 ? value : 0);
}

static void show_port(unsigned port)
{
    if (port == server)
        printf(":server");
    else if (port == spare)
        printf(":free");
    else
        printf(port == 0 ? ":0" : ":other");
}

static void show_address(const char *what, const union name *name, socklen_t len)
{
    char text[INET6_ADDRSTRLEN];
    printf(" %s ", what);
    if (name->any.sa_family == AF_INET) {
        printf("%s", inet_ntop(AF_INET, &name->ipv4.sin_addr, text, sizeof text));
        show_port(ntohs(name->ipv4.sin_port));
    } else if (name->any.sa_family == AF_INET6) {
        printf("[%s%%%u]", inet_ntop(AF_INET6, &name->ipv6.sin6_addr, text, sizeof text),
               name->ipv6.sin6_scope_id);
        show_port(ntohs(name->ipv6.sin6_port));
    } else {
        printf("family %d", name->any.sa_family);
    }
    printf(" (%u)", len);
}

static void names_of(int fd)
{
    union name name;
    socklen_t len = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, &name.any, &len) == 0)
        show_address("own", &name, len);
    else
        result("own", -1);
    memset(&name, 0, sizeof name);
    len = sizeof name;
    if (getpeername(fd, &name.any, &len) == 0)
        show_address("peer", &name, len);
    else
        result("peer", -1);
}

static void error_of(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
        printf(" pending %s", error_name(error));
}

static int try_bind(int fd, const char *address, unsigned port)
{
    union name name;
    socklen_t len = make_name(&name, address, port);
    return bind(fd, &name.any, len);
}

static int try_connect(int fd, const char *address, unsigned port)
{
    union name name;
    socklen_t len = make_name(&name, address, port);
    return connect(fd, &name.any, len);
}

static ssize_t try_sendto(int fd, const char *address, unsigned port, int flags)
{
    union name name;
    socklen_t len = make_name(&name, address, port);
    return sendto(fd, "abc", 3, flags, &name.any, len);
}

static int made(int family, int type)
{
    struct timeval patience = {.tv_sec = 5};
    int on = 1, fd = must(socket(family, type, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

static int listening(const char *address, unsigned port, int backlog)
{
    int fd = made(strchr(address, ':') != NULL ? AF_INET6 : AF_INET, SOCK_STREAM);
    must(try_bind(fd, address, port), "bind");
    must(listen(fd, backlog), "listen");
    return fd;
}

static void option(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        result("setsockopt", -1);
}

static void nonblocking(int fd)
{
    int on = 1;
    must(ioctl(fd, FIONBIO, &on), "FIONBIO");
}

/* Every kind of descriptor, with every kind of address. */

static const char *const kinds[] = {"tcp4",        "tcp6",          "mptcp4",  "mptcp6", "udp4",     "udp6",
                                    "unix stream", "unix datagram", "netlink", "raw4",   "raw6",     "sctp",
                                    "udplite",     "ping",          "packet",  "file",   "O_PATH",   "pipe",
                                    "-1",          "-2147483648",   "closed",  "beyond", "directory"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int make_kind(unsigned kind)
{
    int ends[2];
    switch (kind) {
    case 0:
        return socket(AF_INET, SOCK_STREAM, 0);
    case 1:
        return socket(AF_INET6, SOCK_STREAM, 0);
    case 2:
        return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
    case 3:
        return socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP);
    case 4:
        return socket(AF_INET, SOCK_DGRAM, 0);
    case 5:
        return socket(AF_INET6, SOCK_DGRAM, 0);
    case 6:
        return socket(AF_UNIX, SOCK_STREAM, 0);
    case 7:
        return socket(AF_UNIX, SOCK_DGRAM, 0);
    case 8:
        return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    case 9:
        return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    case 10:
        return socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    case 11:
        return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    case 12:
        return socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    case 13:
        return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    case 14:
        return socket(AF_PACKET, SOCK_RAW, 0);
    case 15:
        return open("/dev/null", O_RDWR);
    case 16:
        return open("/dev/null", O_PATH);
    case 17:
        must(pipe(ends), "pipe");
        close(ends[0]);
        return ends[1];
    case 18:
        return -1;
    case 19:
        return INT32_MIN;
    case 20:
        close(ends[0] = dup(0));
        return ends[0];
    case 21:
        return 1 << 20;
    default:
        return open("/", O_DIRECTORY);
    }
}

struct place {
    const char *name;
    union {
        union name name;
        struct sockaddr_un local;
        struct sockaddr_nl netlink;
        struct sockaddr any;
    } to;
    socklen_t len;
    int remote;
};

enum { MOST_PLACES = 80 };
static struct place places[MOST_PLACES];
static unsigned place_count;

static struct place *add_place(const char *name)
{
    struct place *place = &places[place_count++];
    must(place_count <= MOST_PLACES ? 0 : -1, "places");
    place->name = name;
    return place;
}

static void add_ip(const char *address, unsigned port)
{
    struct place *place = add_place(address);
    place->len = make_name(&place->to.name, address, port);
    place->remote = strncmp(address, "10.9.8.2", 8) == 0 || strcmp(address, "fd09::2") == 0 ||
                    strcmp(address, "192.0.2.1") == 0 || strcmp(address, "2001:db8::1") == 0;
}

static void make_places(void)
{
    static const char *const addresses[] = {
        "127.0.0.1",        "0.0.0.0", "127.3.2.1",       "10.9.8.1", "10.9.8.2", "192.0.2.1", "::1",
        "::ffff:127.0.0.1", "::",      "::ffff:10.9.8.1", "fd09::1",  "fd09::2",  "fe80::1",   "2001:db8::1"};
    static const char *const many[] = {"255.255.255.255", "127.255.255.255", "10.9.8.255", "224.0.0.1",
                                       "ff02::1"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        add_ip(addresses[i], server);
        add_ip(addresses[i], spare);
        if (i % 3 == 0)
            add_ip(addresses[i], 0);
    }
    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        add_ip(many[i], spare);
    add_ip("fe80::1", spare);
    places[place_count - 1].name = "fe80::1%lan0";
    places[place_count - 1].to.name.ipv6.sin6_scope_id = if_nametoindex("lan0");
    add_ip("::1", spare);
    places[place_count - 1].name = "::1 with flow and scope";
    places[place_count - 1].to.name.ipv6.sin6_scope_id = 1;
    places[place_count - 1].to.name.ipv6.sin6_flowinfo = htonl(7);
    add_ip("::1", spare);
    places[place_count - 1].name = "::1 without scope";
    places[place_count - 1].len = offsetof(struct sockaddr_in6, sin6_scope_id);
    add_ip("127.0.0.1", spare);
    places[place_count - 1].name = "127.0.0.1 in 128 bytes";
    places[place_count - 1].len = sizeof(struct sockaddr_storage);
    static const int families[] = {AF_UNSPEC, AF_UNIX, AF_NETLINK, 11, 45, 255, 0xffff};
    static const char *const family_names[] = {
        "127.0.0.1, family 0",  "127.0.0.1, family 1",   "127.0.0.1, family 16",   "127.0.0.1, family 11",
        "127.0.0.1, family 45", "127.0.0.1, family 255", "127.0.0.1, family 65535"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        add_ip("127.0.0.1", spare);
        places[place_count - 1].name = family_names[i];
        places[place_count - 1].to.any.sa_family = (sa_family_t)families[i];
    }
    add_ip("0.0.0.0", spare);
    places[place_count - 1].name = "0.0.0.0, family 0";
    places[place_count - 1].to.any.sa_family = AF_UNSPEC;
    struct place *place = add_place("a path");
    place->to.local.sun_family = AF_UNIX;
    strcpy(place->to.local.sun_path, "conform.socket");
    place->len = sizeof place->to.local;
    place = add_place("an abstract name");
    place->to.local.sun_family = AF_UNIX;
    memcpy(place->to.local.sun_path, "\0conform", 8);
    place->len = offsetof(struct sockaddr_un, sun_path) + 8;
    place = add_place("no name");
    place->to.local.sun_family = AF_UNIX;
    place->len = offsetof(struct sockaddr_un, sun_path);
    place = add_place("netlink");
    place->to.netlink.nl_family = AF_NETLINK;
    place->len = sizeof place->to.netlink;
    place = add_place("no address");
    place->len = 0;
}

static void close_all(int fd)
{
    if (fd >= 0 && fd < 1 << 20)
        reset(fd);
    unlink("conform.socket");
}

static void one_bind(unsigned kind, const struct place *place)
{
    int fd = make_kind(kind);
    printf("bind %s to %s", kinds[kind], place->name);
    show_port(place->len < 4 ? 0 : ntohs(place->to.name.ipv4.sin_port));
    putchar(':');
    result("bind", bind(fd, place->len == 0 ? NULL : &place->to.any, place->len));
    names_of(fd);
    result("again", bind(fd, &place->to.any, place->len));
    result("listen", listen(fd, 1));
    names_of(fd);
    putchar('\n');
    close_all(fd);
}

static void one_connect(unsigned kind, const struct place *place)
{
    int fd = make_kind(kind), flags;
    if (fd >= 0 && (place->remote || kind < 4))
        if ((flags = fcntl(fd, F_GETFL)) >= 0)
            fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    printf("connect %s to %s", kinds[kind], place->name);
    show_port(place->len < 4 ? 0 : ntohs(place->to.name.ipv4.sin_port));
    putchar(':');
    result("connect", connect(fd, &place->to.any, place->len));
    if (kind < 4 && !place->remote) {
        struct pollfd ready = {fd, POLLOUT, 0};
        poll(&ready, 1, 2000);
        result("again", connect(fd, &place->to.any, place->len));
        result("again", connect(fd, &place->to.any, place->len));
    }
    if (!place->remote) {
        names_of(fd);
        error_of(fd);
    }
    putchar('\n');
    close_all(fd);
}

static void one_send(unsigned kind, const struct place *place)
{
    int fd = make_kind(kind);
    struct iovec part = {(char[]){"xyz"}, 3};
    struct msghdr message = {
        .msg_name = (void *)&place->to, .msg_namelen = place->len, .msg_iov = &part, .msg_iovlen = 1};
    if (kind >= 4 && !place->remote &&
        place->name[0] != 'n') { /* "no name": the kernel's words differ with time */
        printf("send %s to %s", kinds[kind], place->name);
        show_port(place->len < 4 ? 0 : ntohs(place->to.name.ipv4.sin_port));
        putchar(':');
        result("sendto", sendto(fd, "xyz", 3, MSG_DONTWAIT | MSG_NOSIGNAL, &place->to.any, place->len));
        result("sendmsg", sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
        names_of(fd);
        putchar('\n');
    }
    close_all(fd);
}

static void every_kind(void)
{
    make_places();
    for (unsigned kind = 0; kind < KINDS; kind++) {
        int fd = make_kind(kind);
        printf("%s:", kinds[kind]);
        success("made", fd);
        names_of(fd);
        result("listen", listen(fd, 1));
        result("accept", kind < 4 ? -1 : accept(fd, NULL, NULL));
        putchar('\n');
        close_all(fd);
        for (unsigned place = 0; place < place_count; place++) {
            one_bind(kind, &places[place]);
            one_connect(kind, &places[place]);
            one_send(kind, &places[place]);
        }
    }
}

/* States of a socket. */

static void states(void)
{
    int fd = made(AF_INET, SOCK_STREAM), other, pair[2];
    printf("listen without bind:");
    result("listen", listen(fd, 1));
    names_of(fd);
    result("bind", try_bind(fd, "127.0.0.1", spare));
    result("connect", try_connect(fd, "127.0.0.1", server));
    putchar('\n');
    reset(fd);

    fd = listening("127.0.0.1", spare, -1);
    printf("listening:");
    names_of(fd);
    result("listen again", listen(fd, INT32_MAX));
    result("bind", try_bind(fd, "127.0.0.1", spare));
    result("connect", try_connect(fd, "127.0.0.1", spare));
    other = made(AF_INET, SOCK_STREAM);
    result("another's bind", try_bind(other, "127.0.0.1", spare));
    result("bind elsewhere", try_bind(other, "127.0.0.2", spare));
    result("listen there", listen(other, 1));
    names_of(other);
    putchar('\n');
    reset(other);

    other = made(AF_INET, SOCK_STREAM);
    printf("connected:");
    result("connect", try_connect(other, "127.0.0.1", spare));
    result("again", try_connect(other, "127.0.0.1", spare));
    result("elsewhere", try_connect(other, "127.0.0.1", server));
    result("bind", try_bind(other, "127.0.0.1", server));
    result("listen", listen(other, 1));
    names_of(other);
    result("shutdown", shutdown(other, SHUT_RDWR));
    names_of(other);
    result("connect", try_connect(other, "127.0.0.1", spare));
    putchar('\n');
    reset(other);

    printf("disconnected:");
    other = made(AF_INET, SOCK_STREAM);
    result("connect", try_connect(other, "127.0.0.1", spare));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    result("disconnect", connect(other, &none, sizeof none));
    names_of(other);
    result("connect", try_connect(other, "127.0.0.1", spare));
    names_of(other);
    putchar('\n');
    reset(other);
    reset(fd);

    printf("to itself:");
    fd = made(AF_INET, SOCK_STREAM);
    result("bind", try_bind(fd, "127.0.0.1", spare));
    result("connect", try_connect(fd, "127.0.0.1", spare));
    names_of(fd);
    putchar('\n');
    reset(fd);

    printf("nobody listens:");
    fd = made(AF_INET, SOCK_STREAM);
    result("connect", try_connect(fd, "127.0.0.1", spare));
    result("again", try_connect(fd, "127.0.0.1", spare));
    names_of(fd);
    error_of(fd);
    nonblocking(fd);
    result("nonblocking", try_connect(fd, "127.0.0.1", spare));
    error_of(fd);
    putchar('\n');
    reset(fd);

    printf("bound, then connected:");
    fd = made(AF_INET6, SOCK_STREAM);
    result("bind", try_bind(fd, "::", spare));
    result("connect", try_connect(fd, "::1", server));
    names_of(fd);
    putchar('\n');
    reset(fd);

    printf("socketpair:");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    names_of(pair[0]);
    result("bind", try_bind(pair[0], "127.0.0.1", spare));
    result("connect", try_connect(pair[0], "127.0.0.1", spare));
    putchar('\n');
    close(pair[0]);
    close(pair[1]);

    printf("a high descriptor:");
    fd = made(AF_INET, SOCK_STREAM);
    other = fcntl(fd, F_DUPFD_CLOEXEC, 700);
    close(fd);
    result("bind", try_bind(other, "127.0.0.1", spare));
    result("listen", listen(other, 1));
    names_of(other);
    putchar('\n');
    reset(other);
}

/* What is in the upper half of an int argument is not the kernel's business. */
static void wide_arguments(void)
{
#if defined __x86_64__ && !defined __ILP32__
    union name name;
    socklen_t len = make_name(&name, "127.0.0.1", spare);
    long high = 0x5a5a5a5a00000000, fd = made(AF_INET, SOCK_STREAM);
    printf("the upper half of arguments:");
    result("bind", syscall(SYS_bind, high | fd, &name, high | (long)len));
    result("listen", syscall(SYS_listen, high | fd, high | 1));
    memset(&name, 0, sizeof name);
    len = sizeof name;
    result("getsockname", syscall(SYS_getsockname, high | fd, &name, &len));
    show_address("own", &name, len);
    int client = made(AF_INET, SOCK_STREAM);
    result("connect", syscall(SYS_connect, high | client, &name, high | (long)len));
    result("getpeername", syscall(SYS_getpeername, high | client, &name, &len));
    show_address("peer", &name, len);
    putchar('\n');
    reset(client);
    reset((int)fd);
#endif
}

static void options(void)
{
    static const struct {
        const char *name;
        int family, type, level, option, value;
        const char *address;
    } all[] = {
        {"IP_FREEBIND", AF_INET, SOCK_STREAM, IPPROTO_IP, IP_FREEBIND, 1, "192.0.2.1"},
        {"IP_TRANSPARENT", AF_INET, SOCK_STREAM, IPPROTO_IP, IP_TRANSPARENT, 1, "192.0.2.1"},
        {"IP_BIND_ADDRESS_NO_PORT", AF_INET, SOCK_STREAM, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1,
         "127.0.0.1"},
        {"IPV6_V6ONLY", AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_V6ONLY, 1, "::ffff:127.0.0.1"},
        {"SO_REUSEPORT", AF_INET, SOCK_STREAM, SOL_SOCKET, SO_REUSEPORT, 1, "127.0.0.1"},
        {"SO_REUSEPORT", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_REUSEPORT, 1, "127.0.0.1"},
        {"SO_REUSEADDR", AF_INET6, SOCK_DGRAM, SOL_SOCKET, SO_REUSEADDR, 1, "::1"},
        {"no broadcast", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 0, "255.255.255.255"},
        {"SO_BROADCAST", AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1, "255.255.255.255"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int fd = must(socket(all[i].family, all[i].type, 0), "socket"), other;
        printf("%s:", all[i].name);
        option(fd, all[i].level, all[i].option, all[i].value);
        result("bind", try_bind(fd, all[i].address, spare));
        names_of(fd);
        other = must(socket(all[i].family, all[i].type, 0), "socket");
        option(other, all[i].level, all[i].option, all[i].value);
        result("another's bind", try_bind(other, all[i].address, spare));
        nonblocking(other); /* some of these addresses are remote */
        result("connect", try_connect(other, all[i].address, server));
        names_of(other);
        putchar('\n');
        reset(fd);
        reset(other);
    }
    static const char *const devices[] = {"lo", "lan0", "nothing"};
    for (int i = 0; i < 3; i++) {
        int fd = made(AF_INET, SOCK_DGRAM);
        printf("SO_BINDTODEVICE %s:", devices[i]);
        result("device",
               setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, devices[i], (socklen_t)strlen(devices[i]) + 1));
        result("bind", try_bind(fd, "127.0.0.1", spare));
        result("send", try_sendto(fd, "127.0.0.1", server, 0));
        names_of(fd);
        putchar('\n');
        close(fd);
    }
}

/* Connections to a listener with no room for another one. */

static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

/* The alarm goes on: on a busy machine the first one may come before the call that it is to disturb. */
static void alarm_every(unsigned milliseconds, int flags)
{
    struct sigaction action = {.sa_handler = count_alarm, .sa_flags = flags};
    struct timeval after = {0, (suseconds_t)milliseconds * 1000};
    struct itimerval when = {after, after};
    alarms = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &when, NULL);
}

static void alarm_ends(void)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    printf(" alarm: %s", alarms > 0 ? "yes" : "no");
}

static int full_listener, in_queue[8];

/* A backlog of 0 has room for one connection; afterwards SYNs are dropped. */
static void fill_backlog(void)
{
    full_listener = listening("127.0.0.1", spare, 0);
    for (int i = 0; i < 8; i++) {
        struct pollfd ready = {in_queue[i] = made(AF_INET, SOCK_STREAM), POLLOUT, 0};
        nonblocking(in_queue[i]);
        if (try_connect(in_queue[i], "127.0.0.1", spare) != 0 && poll(&ready, 1, 100) == 0)
            return; /* this one waits */
    }
    must(-1, "the backlog does not fill");
}

static void timeout_of(int fd)
{
    struct timeval timeout = {7, 7};
    socklen_t len = sizeof timeout;
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len);
    printf(" timeout %ld.%06ld", (long)timeout.tv_sec, (long)timeout.tv_usec);
}

static void full_backlog(void)
{
    struct timeval timeout = {.tv_usec = 60000};
    fill_backlog();
    int fd = made(AF_INET, SOCK_STREAM);
    printf("full backlog, nonblocking:");
    nonblocking(fd);
    result("connect", try_connect(fd, "127.0.0.1", spare));
    result("again", try_connect(fd, "127.0.0.1", spare));
    result("elsewhere", try_connect(fd, "127.0.0.1", server));
    result("bind", try_bind(fd, "127.0.0.1", server));
    names_of(fd);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    result("disconnect", connect(fd, &none, sizeof none));
    result("elsewhere", try_connect(fd, "127.0.0.1", server));
    putchar('\n');
    reset(fd);

    printf("full backlog, SO_SNDTIMEO:");
    fd = made(AF_INET, SOCK_STREAM);
    must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), "SO_SNDTIMEO");
    timeout_of(fd);
    result("connect", try_connect(fd, "127.0.0.1", spare));
    timeout_of(fd);
    result("again", try_connect(fd, "127.0.0.1", spare));
    names_of(fd);
    timeout_of(fd);
    putchar('\n');
    reset(fd);

    for (int restart = 0; restart < 2; restart++) {
        printf("full backlog, a signal %s SA_RESTART:", restart ? "with" : "without");
        fd = made(AF_INET, SOCK_STREAM);
        timeout.tv_sec = 30;
        must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout), "SO_SNDTIMEO");
        alarm_every(20, restart ? SA_RESTART : 0);
        result("connect", try_connect(fd, "127.0.0.1", spare));
        alarm_ends();
        timeout_of(fd);
        nonblocking(fd);
        result("again", try_connect(fd, "127.0.0.1", spare));
        putchar('\n');
        reset(fd);
    }

    printf("full backlog, an endless wait and a signal:");
    fd = made(AF_INET, SOCK_STREAM);
    alarm_every(50, 0);
    result("connect", try_connect(fd, "127.0.0.1", spare));
    alarm_ends();
    timeout_of(fd);
    alarm_every(50, 0);
    result("again", try_connect(fd, "127.0.0.1", spare));
    alarm_ends();
    timeout_of(fd);
    putchar('\n');
    reset(fd);

    /* The child makes room; the connection is there when the SYN is sent again, after a second. */
    printf("full backlog, then room:");
    fflush(stdout);
    fd = made(AF_INET, SOCK_STREAM);
    alarm_every(30, SA_RESTART); /* a child has none */
    pid_t child = must(fork(), "fork");
    if (child == 0) {
        usleep(100000);
        for (int i = 0; i < 2; i++)
            accept(full_listener, NULL, NULL);
        pause();
    }
    result("connect", try_connect(fd, "127.0.0.1", spare));
    alarm_ends();
    timeout_of(fd);
    names_of(fd);
    putchar('\n');
    kill(child, SIGKILL);
    reset(fd);
    for (int i = 0; i < 8; i++)
        if (in_queue[i] > 0)
            reset(in_queue[i]);
    reset(full_listener);
}

static void fast_open(void)
{
    int fd = made(AF_INET, SOCK_STREAM);
    printf("TCP_FASTOPEN_CONNECT:");
    option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
    result("connect", try_connect(fd, "127.0.0.1", server));
    names_of(fd);
    result("write", write(fd, "x", 1));
    names_of(fd);
    putchar('\n');
    reset(fd);
    fd = made(AF_INET6, SOCK_STREAM);
    printf("MSG_FASTOPEN:");
    result("sendto", try_sendto(fd, "::1", server, MSG_FASTOPEN | MSG_NOSIGNAL));
    names_of(fd);
    result("sendto", try_sendto(fd, "::1", server, MSG_NOSIGNAL));
    putchar('\n');
    reset(fd);
    fd = made(AF_INET, SOCK_STREAM);
    printf("MSG_FASTOPEN, nobody listens:");
    result("sendto", try_sendto(fd, "127.0.0.1", spare, MSG_FASTOPEN | MSG_NOSIGNAL));
    result("again", try_sendto(fd, "127.0.0.1", spare, MSG_NOSIGNAL));
    putchar('\n');
    reset(fd);
}

/* Datagrams. */

static int receiver, sender; /* bound to server and free */

static void datagrams_open(void)
{
    receiver = made(AF_INET, SOCK_DGRAM);
    sender = made(AF_INET, SOCK_DGRAM);
    must(try_bind(receiver, "127.0.0.1", server), "bind");
    must(try_bind(sender, "127.0.0.1", spare), "bind");
}

static void datagrams_close(void)
{
    close(receiver);
    close(sender);
}

/* On a busy machine a datagram, or the news that it was refused, comes a moment after it was sent. */
static void await(int fd)
{
    struct pollfd ready = {fd, POLLIN, 0};
    poll(&ready, 1, 50);
}

static void show_bytes_of(const char *bytes, long size)
{
    if (size > 0)
        printf(" \"%.*s\"", (int)size, bytes);
}

static void one_recvfrom(const char *what, size_t size, int flags)
{
    char bytes[100] = "";
    union name name;
    socklen_t len = sizeof name;
    memset(&name, 0, sizeof name);
    printf("recvfrom %s:", what);
    if (flags & MSG_DONTWAIT)
        await(receiver);
    ssize_t got = recvfrom(receiver, bytes, size, flags, &name.any, &len);
    result("got", got);
    show_bytes_of(bytes, got < (ssize_t)size ? got : (ssize_t)size);
    if (got >= 0)
        show_address("from", &name, len);
    putchar('\n');
}

static void receiving(void)
{
    datagrams_open();
    one_recvfrom("of nothing, MSG_DONTWAIT", 100, MSG_DONTWAIT);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvfrom("MSG_PEEK", 100, MSG_PEEK);
    one_recvfrom("MSG_PEEK | MSG_TRUNC", 2, MSG_PEEK | MSG_TRUNC);
    one_recvfrom("cut short", 2, 0);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvfrom("MSG_TRUNC", 1, MSG_TRUNC);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvfrom("no bytes", 0, 0);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvfrom("MSG_WAITALL", 100, MSG_WAITALL);
    one_recvfrom("MSG_OOB", 100, MSG_OOB | MSG_DONTWAIT);
    one_recvfrom("MSG_ERRQUEUE", 100, MSG_ERRQUEUE | MSG_DONTWAIT);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvfrom("unknown flags", 100, 0x10000000);
    struct timeval timeout = {.tv_usec = 30000};
    setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    one_recvfrom("timeout", 100, 0);
    for (int restart = 0; restart < 2; restart++) {
        timeout.tv_sec = 30;
        setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        alarm_every(30, restart ? SA_RESTART : 0);
        one_recvfrom(restart ? "timeout, a signal with SA_RESTART" : "timeout, a signal", 100, 0);
        alarm_ends();
        putchar('\n');
    }
    timeout = (struct timeval){0, 0};
    setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    alarm_every(30, 0);
    one_recvfrom("an endless wait, a signal", 100, 0);
    alarm_ends();
    putchar('\n');
    alarm_every(30, SA_RESTART); /* a child has none */
    pid_t child = must(fork(), "fork");
    if (child == 0) {
        usleep(150000);
        try_sendto(sender, "127.0.0.1", server, 0);
        _exit(0);
    }
    one_recvfrom("an endless wait, a signal with SA_RESTART, then a datagram", 100, 0);
    alarm_ends();
    putchar('\n');
    child = must(fork(), "fork");
    if (child == 0) {
        usleep(50000);
        shutdown(receiver, SHUT_RDWR);
        _exit(0);
    }
    one_recvfrom("shut down meanwhile", 100, 0);
    datagrams_close();
}

static void one_recvmsg(const char *what, size_t control_size, int flags, size_t parts)
{
    char bytes[4] = "", control[200];
    static struct iovec part[2000];
    union name name;
    for (size_t i = 0; i < parts; i++)
        part[i] = (struct iovec){bytes + i % 4, i < 4};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&name, 0, sizeof name);
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = part;
    message.msg_iovlen = (__typeof__(message.msg_iovlen))parts; /* an int in musl */
    message.msg_control = control;
    message.msg_controllen = (__typeof__(message.msg_controllen))control_size;
    printf("recvmsg %s:", what);
    if (flags & MSG_DONTWAIT)
        await(receiver);
    ssize_t got = syscall(SYS_recvmsg, receiver, &message, flags);
    result("got", got);
    if (got >= 0) {
        show_bytes_of(bytes, got < 4 ? got : 4);
        show_address("from", &name, message.msg_namelen);
        printf(" flags %x control %zu", (unsigned)message.msg_flags, (size_t)message.msg_controllen);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
            printf(" (%d %d %zu)", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
    }
    putchar('\n');
}

static void messages(void)
{
    datagrams_open();
    option(receiver, IPPROTO_IP, IP_PKTINFO, 1);
    option(receiver, IPPROTO_IP, IP_RECVTTL, 1);
    static const size_t sizes[] = {0, 1, 12, 16, 24, 28, 32, 48, 200};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        try_sendto(sender, "127.0.0.1", server, 0);
        one_recvmsg("with control", sizes[i], 0, 4);
    }
    static const size_t parts[] = {0, 1, 2, 1024, 1025, 2000};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        try_sendto(sender, "127.0.0.1", server, 0);
        one_recvmsg("in parts", 0, MSG_DONTWAIT, parts[i]);
    }
    one_recvmsg("MSG_DONTWAIT", 200, MSG_DONTWAIT, 1);
    try_sendto(sender, "127.0.0.1", server, 0);
    one_recvmsg("MSG_PEEK", 200, MSG_PEEK | MSG_TRUNC, 1);
    one_recvmsg("MSG_CMSG_CLOEXEC", 200, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 1);
    while (recv(receiver, &(char){0}, 1, MSG_DONTWAIT) >= 0)
        ;

    struct mmsghdr many[3];
    union name name[3];
    char bytes[3][4];
    struct iovec part[3];
    struct timespec timeout;
    static const struct {
        const char *name;
        unsigned count, sent;
        int flags, timeout;
    } calls[] = {{"none", 0, 0, 0, 0},
                 {"all", 3, 3, 0, 0},
                 {"MSG_WAITFORONE", 3, 2, MSG_WAITFORONE, 0},
                 {"MSG_DONTWAIT", 3, 1, MSG_DONTWAIT, 0},
                 {"MSG_DONTWAIT, none", 3, 0, MSG_DONTWAIT, 0},
                 {"timeout, some", 3, 3, 0, 1},
                 {"bad timeout", 3, 0, MSG_DONTWAIT, 2}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        memset(many, 0, sizeof many);
        for (int m = 0; m < 3; m++) {
            part[m] = (struct iovec){bytes[m], 4};
            many[m].msg_hdr.msg_name = &name[m];
            many[m].msg_hdr.msg_namelen = m == 1 ? 8 : sizeof name[m];
            many[m].msg_hdr.msg_iov = &part[m];
            many[m].msg_hdr.msg_iovlen = 1;
            many[m].msg_len = 77;
        }
        for (unsigned sent = 0; sent < calls[i].sent; sent++)
            try_sendto(sender, "127.0.0.1", server, 0);
        timeout = (struct timespec){.tv_sec = 30, .tv_nsec = calls[i].timeout == 2 ? -1 : 0};
        printf("recvmmsg %s:", calls[i].name);
        await(receiver);
        result("got",
               recvmmsg(receiver, many, calls[i].count, calls[i].flags, calls[i].timeout ? &timeout : NULL));
        for (int m = 0; m < 3; m++) {
            printf(" %u", many[m].msg_len);
            if (many[m].msg_len != 77 && m != 1)
                show_address("from", &name[m], many[m].msg_hdr.msg_namelen);
        }
        putchar('\n');
    }
    datagrams_close();
}

static void sending(void)
{
    static char large[70000];
    union name name;
    datagrams_open();
    socklen_t len = make_name(&name, "127.0.0.1", server);
    static const size_t sizes[] = {0, 1, 1472, 65507, 65508, 70000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        printf("a datagram of %zu:", sizes[i]);
        result("sent", sendto(sender, large, sizes[i], 0, &name.any, len));
        await(receiver);
        result("got", recv(receiver, large, sizeof large, MSG_DONTWAIT));
        putchar('\n');
    }
    static const struct {
        const char *name;
        int flags;
    } flags[] = {
        {"MSG_OOB", MSG_OOB},           {"MSG_CONFIRM", MSG_CONFIRM},  {"MSG_DONTROUTE", MSG_DONTROUTE},
        {"MSG_NOSIGNAL", MSG_NOSIGNAL}, {"MSG_MORE", MSG_MORE},        {"after it", 0},
        {"MSG_EOR", MSG_EOR},           {"MSG_ZEROCOPY", 0x4000000},   {"unknown", 0x10000000},
        {"MSG_FASTOPEN", MSG_FASTOPEN}, {"MSG_ERRQUEUE", MSG_ERRQUEUE}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        printf("send %s:", flags[i].name);
        result("sent", try_sendto(sender, "127.0.0.1", server, flags[i].flags));
        printf(", ");
        one_recvfrom("it", 100, MSG_DONTWAIT);
    }

    struct iovec part[1030];
    char content[] = "xyz";
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    static const size_t parts[] = {0, 1, 3, 1024, 1025};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct msghdr message;
        memset(&message, 0, sizeof message);
        for (size_t p = 0; p < parts[i]; p++)
            part[p] = (struct iovec){content, p < 3};
        message.msg_name = &name;
        message.msg_namelen = len;
        message.msg_iov = part;
        message.msg_iovlen = (__typeof__(message.msg_iovlen))parts[i];
        printf("sendmsg of %zu parts:", parts[i]);
        result("sent", syscall(SYS_sendmsg, sender, &message, 0));
        printf(", ");
        one_recvfrom("it", 100, MSG_DONTWAIT);
    }
    for (int bad = 0; bad < 4; bad++) {
        struct msghdr message;
        memset(&message, 0, sizeof message);
        memset(&control, 0, sizeof control);
        part[0] = (struct iovec){content, 1};
        message.msg_name = &name;
        message.msg_namelen = len;
        message.msg_iov = part;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header.cmsg_len = bad == 1 ? 3 : bad == 2 ? 4000 : CMSG_LEN(sizeof(struct in_pktinfo));
        control.header.cmsg_level = bad == 3 ? 12345 : IPPROTO_IP;
        control.header.cmsg_type = IP_PKTINFO;
        ((struct in_pktinfo *)CMSG_DATA(&control.header))->ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK);
        printf("sendmsg with control %d:", bad);
        result("sent", sendmsg(sender, &message, 0));
        printf(", ");
        one_recvfrom("it", 100, MSG_DONTWAIT);
    }

    printf("UDP_SEGMENT:");
    option(sender, IPPROTO_UDP, UDP_SEGMENT, 2);
    result("sent", sendto(sender, "abcde", 5, 0, &name.any, len));
    putchar('\n');
    for (int i = 0; i < 4; i++)
        one_recvfrom("a segment", 100, MSG_DONTWAIT);
    option(sender, IPPROTO_UDP, UDP_SEGMENT, 0);

    struct mmsghdr many[3];
    memset(many, 0, sizeof many);
    union name other;
    socklen_t other_len = make_name(&other, "127.0.0.1", 1);
    for (int m = 0; m < 3; m++) {
        part[m] = (struct iovec){content, (size_t)m + 1};
        many[m].msg_hdr.msg_name = m == 1 ? &other : &name;
        many[m].msg_hdr.msg_namelen = m == 1 ? other_len : len;
        many[m].msg_hdr.msg_iov = &part[m];
        many[m].msg_hdr.msg_iovlen = 1;
    }
    printf("sendmmsg to two:");
    result("sent", sendmmsg(sender, many, 3, 0));
    printf(" %u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
    for (int i = 0; i < 3; i++)
        one_recvfrom("it", 100, MSG_DONTWAIT);
    printf("sendmmsg, the second bad:");
    many[1].msg_hdr.msg_namelen = 3;
    result("sent", sendmmsg(sender, many, 3, 0));
    printf(" %u\n", many[0].msg_len);
    one_recvfrom("it", 100, MSG_DONTWAIT);
    printf("sendmmsg, the first bad:");
    result("sent", sendmmsg(sender, many + 1, 2, 0));
    printf(" none:");
    result("sent", sendmmsg(sender, many, 0, 0));
    putchar('\n');
    datagrams_close();
}

static void connected_datagrams(void)
{
    datagrams_open();
    int fd = made(AF_INET, SOCK_DGRAM);
    printf("connected datagrams:");
    result("connect", try_connect(fd, "127.0.0.1", server));
    names_of(fd);
    result("send", send(fd, "abc", 3, 0));
    result("sendto its peer", try_sendto(fd, "127.0.0.1", server, 0));
    result("sendto another", try_sendto(fd, "127.0.0.1", spare, 0));
    result("connect another", try_connect(fd, "127.0.0.1", spare));
    names_of(fd);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    result("disconnect", connect(fd, &none, sizeof none));
    names_of(fd);
    result("send", send(fd, "abc", 3, 0));
    result("bind", try_bind(fd, "127.0.0.1", server));
    putchar('\n');
    datagrams_close();

    printf("refused datagrams:");
    result("connect", try_connect(fd, "127.0.0.1", server));
    option(fd, IPPROTO_IP, IP_RECVERR, 1);
    result("send", send(fd, "abc", 3, 0));
    await(fd);
    result("recv", recv(fd, &(char){0}, 1, MSG_DONTWAIT));
    receiver = fd;
    putchar('\n');
    one_recvmsg("of the refusal", 200, MSG_ERRQUEUE | MSG_DONTWAIT, 4);
    result("recv", recv(fd, &(char){0}, 1, MSG_DONTWAIT));
    putchar('\n');
    close(fd);

    printf("autobind:");
    fd = made(AF_INET6, SOCK_DGRAM);
    result("sendto", try_sendto(fd, "::ffff:127.0.0.1", server, 0));
    names_of(fd);
    result("sendto", try_sendto(fd, "::1", server, 0));
    result("bind", try_bind(fd, "::1", spare));
    putchar('\n');
    close(fd);
}

/* A descriptor that travels by a unix socket: sendmsg() and recvmsg() of other families are as ever. */
static void other_families(void)
{
    int pair[2], fd = made(AF_INET, SOCK_STREAM);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {(char[]){"x"}, 1};
    struct msghdr message;
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
    memset(&control, 0, sizeof control);
    memset(&message, 0, sizeof message);
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    must(try_bind(fd, "127.0.0.1", spare), "bind");
    printf("a descriptor by message:");
    result("sendmsg", sendmsg(pair[0], &message, 0));
    close(fd);
    memset(&control, 0, sizeof control);
    result("recvmsg", recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    names_of(fd);
    putchar('\n');
    close(fd);
    struct sockaddr_un from;
    socklen_t len = sizeof from;
    printf("unix datagram:");
    result("sendto", sendto(pair[0], "x", 1, 0, NULL, 0));
    result("recvfrom", recvfrom(pair[1], &(char){0}, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len));
    printf(" length %u\n", len);
    close(pair[0]);
    close(pair[1]);
}

/* The kernel numbers all ping sockets of the host one after the other. Leads it past our two ports if it is
 * just before them: a socket with such a number would look as if it were bound to a port. */
static void pass_own_ports(void)
{
    enum { MOST = 2000 };
    unsigned number = 0;
    int fd = 0;
    for (unsigned i = 0;
         i < 2 * MOST && fd >= 0 && (number == 0 || (number <= spare && number + MOST > server)); i++) {
        union name name = {.ipv4.sin_family = AF_INET};
        socklen_t len = sizeof name.ipv4;
        fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        bind(fd, &name.any, len);
        if (fd >= 0 && getsockname(fd, &name.any, &len) == 0)
            number = ntohs(name.ipv4.sin_port);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static char buffer[1 << 16];
    if (argc != 3)
        return 2;
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
    signal(SIGCHLD, SIG_IGN);
    server = (unsigned)atoi(argv[1]);
    spare = (unsigned)atoi(argv[2]);
    pass_own_ports();
    int listener = listening("127.0.0.1", server, 64), listener6 = listening("::1", server, 64);
    every_kind();
    states();
    wide_arguments();
    options();
    fast_open();
    full_backlog();
    receiving();
    messages();
    sending();
    connected_datagrams();
    other_families();
    fflush(stdout);
    close(listener);
    close(listener6);
    return 0;
}
