/*
 * datagrams PORT PORT: sends and receives datagrams with arguments that few programs pass, and prints all
 * that it gets. When it is trapped, both ports are placeholders. bad_pointers.c has the bad pointers.
 */
#include "calls.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { PAGE = 4096, ROOM = 70000, MANY = 150 };

static unsigned port, other_port;
static union name server_name, client_name;
static socklen_t name_len;
static int server, client;
static char bytes[ROOM], control[512] __attribute__((aligned(8)));
static unsigned char *last_page; /* behind it nothing is mapped */
static unsigned char *read_only;

/* A server and a client at the two ports. */
static void meet(const char *address)
{
    int on = 1;
    struct timeval patience = {.tv_sec = 60};
    name_len = make_name(&server_name, address, port);
    make_name(&client_name, address, other_port);
    server = must(socket(server_name.any.sa_family, SOCK_DGRAM, 0), "socket");
    client = must(socket(server_name.any.sa_family, SOCK_DGRAM, 0), "socket");
    must(bind(server, &server_name.any, name_len), "bind");
    must(bind(client, &client_name.any, name_len), "bind");
    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on);
    memset(bytes, 0x5a, sizeof bytes);
    memset(control, 0xa5, sizeof control);
}

static void part(void)
{
    close(server);
    close(client);
}

static void send_it(const char *text)
{
    must((int)sendto(client, text, strlen(text), 0, &server_name.any, name_len), "sendto");
}

/* Receives into these parts, with these flags, and prints everything. */
static void receive(int fd, struct iovec *parts, size_t count, size_t control_room, int flags)
{
    union name source;
    struct msghdr message = {.msg_name = &source,
                             .msg_namelen = sizeof source,
                             .msg_iov = parts,
                             .msg_iovlen = count,
                             .msg_control = control_room > 0 ? control : NULL,
                             .msg_controllen = control_room};
    memset(&source, 0, sizeof source);
    memset(control, 0xa5, sizeof control);
    show_result(recvmsg(fd, &message, flags));
    printf(" flags %x, name %u, control %zu", (unsigned)message.msg_flags, (unsigned)message.msg_namelen,
           (size_t)message.msg_controllen);
    show_name(&source);
}

/* The same into plain memory, of which it prints the beginning. */
static void receive_plainly(int fd, size_t room, int flags)
{
    struct iovec one = {bytes, room};
    memset(bytes, '.', 16);
    receive(fd, &one, 1, 0, flags);
    printf(" %.16s;", bytes);
}

static void flags(void)
{
    static const struct {
        const char *name;
        int flags;
    } each[] = {{"none", 0},
                {"MSG_PEEK", MSG_PEEK},
                {"MSG_TRUNC", MSG_TRUNC},
                {"MSG_PEEK|MSG_TRUNC", MSG_PEEK | MSG_TRUNC},
                {"MSG_WAITALL", MSG_WAITALL},
                {"MSG_OOB", MSG_OOB},
                {"MSG_CMSG_CLOEXEC", MSG_CMSG_CLOEXEC},
                {"MSG_WAITFORONE", MSG_WAITFORONE},
                {"MSG_ERRQUEUE", MSG_ERRQUEUE},
                {"unknown ones", 0x00f00000},
                {"of the kernel's own", INT_MIN}};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        static const size_t rooms[] = {16, 3, 0};
        printf("%s:", each[i].name);
        for (size_t k = 0; k < sizeof rooms / sizeof *rooms; k++) {
            union name source = {.any = {0}};
            socklen_t len = sizeof source;
            meet("127.0.0.1");
            send_it("first");
            send_it("second");
            receive_plainly(server, rooms[k], each[i].flags);
            memset(bytes, '.', 16);
            show_result(recvfrom(server, bytes, rooms[k], each[i].flags, &source.any, &len));
            printf(" %.16s %u", bytes, (unsigned)len);
            show_name(&source);
            receive_plainly(server, 16, MSG_DONTWAIT);
            part();
        }
        putchar('\n');
        meet("::1");
        printf("sending with it:");
        struct iovec one = {"hello", 5};
        struct msghdr message = {
            .msg_name = &server_name, .msg_namelen = name_len, .msg_iov = &one, .msg_iovlen = 1};
        show_result(sendto(client, "hi", 2, each[i].flags, &server_name.any, name_len));
        show_result(sendmsg(client, &message, each[i].flags));
        receive_plainly(server, 16, MSG_DONTWAIT);
        receive_plainly(server, 16, MSG_DONTWAIT);
        putchar('\n');
        part();
    }
}

static void sizes(void)
{
    static const size_t each[] = {0, 1, 1472, 65507, 65508, 65527, 65528, 65535, 65536, ROOM};
    const char *const addresses[] = {"127.0.0.1", "::1"};
    for (int a = 0; a < 2; a++)
        for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
            printf("%zu bytes to %s:", each[i], addresses[a]);
            meet(addresses[a]);
            show_result(sendto(client, bytes, each[i], 0, &server_name.any, name_len));
            receive_plainly(server, ROOM, MSG_DONTWAIT);
            long sent = sendto(client, bytes, each[i], MSG_ZEROCOPY, &server_name.any, name_len);
            show_result(sent);
            struct pollfd done = {.fd = client};
            poll(&done, sent >= 0, sent >= 0 ? 60000 : 0);
            receive(client, &(struct iovec){bytes, ROOM}, 1, sizeof control, MSG_ERRQUEUE);
            receive_plainly(server, ROOM, MSG_DONTWAIT);
            putchar('\n');
            part();
        }
}

/* Parts of which some lie where the program has no memory, or may not write. */
static void bad_parts(void)
{
    struct iovec each[] = {
        {bytes, 3},
        {last_page + PAGE - 2, 2},
        {last_page + PAGE - 2, 4},
        {last_page + PAGE - 2, 0},
        {read_only, 2},
        {NULL, 0},
        {NULL, 1},
        {bytes + 100, 4},
        {(void *)UINTPTR_MAX, 1},
        {bytes, SIZE_MAX},
        {bytes, (size_t)1 << 30},
    };
    enum { COUNT = sizeof each / sizeof *each };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++) {
            struct iovec parts[] = {each[i], each[k]};
            struct msghdr message = {
                .msg_name = &server_name, .msg_namelen = name_len, .msg_iov = parts, .msg_iovlen = 2};
            printf("parts %zu %zu:", i, k);
            meet("127.0.0.1");
            memset(last_page + PAGE - 4, '-', 4);
            send_it("abcdef");
            send_it("second");
            receive(server, parts, 2, 0, 0);
            show_bytes(bytes, 8);
            show_bytes(last_page + PAGE - 4, 4);
            receive_plainly(server, 16, MSG_DONTWAIT);
            show_result(sendmsg(client, &message, 0));
            receive_plainly(server, 16, MSG_DONTWAIT);
            part();
            putchar('\n');
        }
    static struct iovec many[1025];
    for (int i = 0; i < 1025; i++)
        many[i] = (struct iovec){bytes + i, 1};
    for (size_t count = 1022; count <= 1025; count++) {
        struct msghdr message = {
            .msg_name = &server_name, .msg_namelen = name_len, .msg_iov = many, .msg_iovlen = count};
        meet("127.0.0.1");
        printf("%zu parts:", count);
        show_result(sendmsg(client, &message, 0));
        receive(server, many, count, 0, MSG_DONTWAIT);
        receive(server, many, count, 64, MSG_DONTWAIT);
        putchar('\n');
        part();
    }
}

static void name_sizes(void)
{
    for (int room = -1; room <= 130; room += room < 30 ? 1 : 50) {
        char name[256];
        struct iovec one = {bytes, 8};
        struct mmsghdr message = {.msg_hdr = {.msg_name = name, .msg_iov = &one, .msg_iovlen = 1}};
        socklen_t len = (socklen_t)room;
        meet("::1");
        printf("name of %d bytes:", room);
        send_it("one");
        send_it("two");
        send_it("three");
        memset(name, '-', sizeof name);
        show_result(recvfrom(server, bytes, 8, 0, (struct sockaddr *)name, &len));
        printf(" %d", (int)len);
        show_bytes(name, 32);
        message.msg_hdr.msg_namelen = (socklen_t)room;
        memset(name, '-', sizeof name);
        show_result(recvmsg(server, &message.msg_hdr, MSG_DONTWAIT));
        printf(" %d", (int)message.msg_hdr.msg_namelen);
        show_bytes(name, 32);
        message.msg_hdr.msg_namelen = (socklen_t)room;
        memset(name, '-', sizeof name);
        show_result(recvmmsg(server, &message, 1, MSG_DONTWAIT, NULL));
        printf(" %d %u", (int)message.msg_hdr.msg_namelen, message.msg_len);
        show_bytes(name, 32);
        memcpy(name, &server_name, sizeof server_name);
        message.msg_hdr.msg_namelen = (socklen_t)room;
        show_result(sendto(client, "x", 1, 0, (struct sockaddr *)name, (socklen_t)room));
        show_result(sendmsg(client, &message.msg_hdr, 0));
        show_result(sendmmsg(client, &message, 1, 0));
        putchar('\n');
        part();
    }
}

static void show_control(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        printf(" level %d type %d size %zu", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
        /* What a clock says is not the same twice. */
        if (c->cmsg_level != SOL_SOCKET)
            show_bytes(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    }
}

/* All that the kernel says about a datagram, in too little room and in enough. */
static void control_messages(const char *address, int level, const int *options, size_t count)
{
    static const int of_sockets[] = {SO_TIMESTAMP, SO_TIMESTAMPNS, SO_RXQ_OVFL, 63 /* SO_TIMESTAMP_NEW */};
    for (size_t room = 0; room <= 200; room += 4)
        for (int stamp = 0; stamp < 4; stamp++) {
            union name source;
            struct iovec one = {bytes, 8};
            struct msghdr message = {.msg_name = &source,
                                     .msg_namelen = sizeof source,
                                     .msg_iov = &one,
                                     .msg_iovlen = 1,
                                     .msg_control = control,
                                     .msg_controllen = room};
            int on = 1;
            meet(address);
            for (size_t i = 0; i < count; i++)
                setsockopt(server, level, options[i], &on, sizeof on);
            setsockopt(server, SOL_SOCKET, of_sockets[stamp], &on, sizeof on);
            send_it("hello");
            printf("control of %zu, %d:", room, stamp);
            show_result(recvmsg(server, &message, 0));
            printf(" %x %zu", (unsigned)message.msg_flags, (size_t)message.msg_controllen);
            show_control(&message);
            /* The bytes after what was written are still the program's. */
            show_bytes(control + message.msg_controllen, sizeof control - message.msg_controllen - 200);
            putchar('\n');
            part();
        }
}

/* What a program says about a datagram that it sends. */
static void sent_control(const char *address, int level, int type, const void *data, size_t size)
{
    static const int all[] = {IP_RECVTOS, IP_RECVTTL};
    int on = 1;
    for (int how = -4; how <= 4; how += 4)
        for (int extra = 0; extra < 2; extra++) {
            struct iovec one = {"hello", 5};
            struct msghdr message = {.msg_name = &server_name,
                                     .msg_iov = &one,
                                     .msg_iovlen = 1,
                                     .msg_control = control,
                                     .msg_controllen = CMSG_SPACE(size) + (size_t)extra * 4};
            meet(address);
            message.msg_namelen = name_len;
            memset(control, 0, sizeof control);
            struct cmsghdr *c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = level;
            c->cmsg_type = type;
            c->cmsg_len = CMSG_LEN(size + (size_t)how);
            memcpy(CMSG_DATA(c), data, size);
            setsockopt(server, IPPROTO_IP, all[0], &on, sizeof on);
            setsockopt(server, IPPROTO_IP, all[1], &on, sizeof on);
            setsockopt(server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on);
            setsockopt(server, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
            printf("sent with %d %d, size %d, %d:", level, type, how, extra);
            show_result(sendmsg(client, &message, 0));
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            one.iov_base = bytes;
            show_result(recvmsg(server, &message, MSG_DONTWAIT));
            if (message.msg_controllen <= 200)
                show_control(&message);
            putchar('\n');
            part();
        }
}

static void several_times(struct mmsghdr *messages, union name *names, struct iovec *parts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        parts[i] = (struct iovec){bytes + 8 * i, 8};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &names[i],
                                                   .msg_namelen = sizeof names[i],
                                                   .msg_iov = &parts[i],
                                                   .msg_iovlen = 1},
                                       .msg_len = 77};
    }
}

static void show_time(const struct timespec *time, long most)
{
    printf(" %s", time->tv_sec < 0 || time->tv_sec > most   ? "out of range"
                  : time->tv_sec == 0 && time->tv_nsec == 0 ? "none left"
                                                            : "some left");
}

static void vectors(void)
{
    static struct mmsghdr messages[MANY + 1];
    static union name names[MANY + 1];
    static struct iovec parts[MANY + 1];
    static const struct timespec times[] = {{0, 0},  {0, 1},  {50, 0},        {LONG_MAX, 999999999},
                                            {-1, 0}, {0, -1}, {0, 1000000000}};
    for (unsigned count = 0; count <= MANY; count += 25) {
        meet("127.0.0.1");
        printf("%u messages:", count);
        for (unsigned i = 0; i < MANY; i++)
            send_it("hello");
        several_times(messages, names, parts, MANY);
        show_result(recvmmsg(server, messages, count, 0, NULL));
        for (unsigned i = 0; i < MANY; i++)
            printf(" %u", messages[i].msg_len);
        if (count > 0)
            show_name(&names[count - 1]);
        putchar('\n');
        part();
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct timespec time = times[i];
        meet("127.0.0.1");
        printf("time limit %zu:", i);
        send_it("one");
        send_it("two");
        several_times(messages, names, parts, MANY);
        show_result(recvmmsg(server, messages, 2, 0, &time));
        show_time(&time, times[i].tv_sec);
        several_times(messages, names, parts, MANY);
        time = times[i];
        show_result(recvmmsg(server, messages, 2, MSG_DONTWAIT, &time));
        show_time(&time, times[i].tv_sec);
        putchar('\n');
        part();
    }
    for (int bad = 0; bad < 6; bad++)
        for (unsigned at = 0; at < 3; at++) {
            meet("127.0.0.1");
            printf("bad message %d at %u:", bad, at);
            for (int way = 0; way < 2; way++) {
                several_times(messages, names, parts, 3);
                for (unsigned i = 0; i < 3; i++) {
                    memcpy(&names[i], i == 1 ? &client_name : &server_name, sizeof names[i]);
                    messages[i].msg_hdr.msg_namelen = name_len;
                }
                struct msghdr *header = &messages[at].msg_hdr;
                if (bad == 0)
                    header->msg_namelen = (socklen_t)-1;
                else if (bad == 1)
                    header->msg_iov = NULL;
                else if (bad == 2)
                    header->msg_iovlen = 1025;
                else if (bad == 3)
                    parts[at].iov_len = SIZE_MAX;
                else if (bad == 4)
                    header->msg_name = (void *)8;
                else
                    parts[at] = (struct iovec){(void *)8, 8};
                if (way == 0) {
                    show_result(sendmmsg(client, messages, 3, 0));
                } else {
                    if (bad > 3) /* the kernel finds out late: what follows would be left there */
                        continue;
                    send_it("1");
                    send_it("2");
                    send_it("3");
                    show_result(recvmmsg(server, messages, 3, MSG_DONTWAIT, NULL));
                }
                for (unsigned i = 0; i < 3; i++)
                    printf(" %u", messages[i].msg_len);
            }
            int error = 0;
            socklen_t len = sizeof error;
            for (int i = 0; i < 8; i++)
                receive_plainly(server, 8, MSG_DONTWAIT);
            getsockopt(server, SOL_SOCKET, SO_ERROR, &error, &len);
            printf(" %d\n", error);
            part();
        }
}

/* MSG_PEEK from the middle, datagrams in pieces, and several in one. */
static void pieces(void)
{
    int offset = 0, on = 1, size = 3;
    meet("127.0.0.1");
    setsockopt(server, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset);
    send_it("abcdef");
    send_it("");
    send_it("ghi");
    printf("peeking:");
    for (int i = 0; i < 6; i++)
        receive_plainly(server, 4, MSG_PEEK | MSG_DONTWAIT);
    for (int i = 0; i < 4; i++)
        receive_plainly(server, 4, MSG_DONTWAIT);
    putchar('\n');
    printf("corked:");
    show_result(sendto(client, "ab", 2, MSG_MORE, &server_name.any, name_len));
    show_result(sendto(client, "cd", 2, MSG_MORE, &server_name.any, name_len));
    show_result(send(client, "ef", 2, 0));
    receive_plainly(server, 16, MSG_DONTWAIT);
    putchar('\n');
    printf("segments:");
    setsockopt(client, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof size);
    send_it("abcdefgh");
    for (int i = 0; i < 4; i++)
        receive_plainly(server, 16, MSG_DONTWAIT);
    setsockopt(server, IPPROTO_UDP, 104 /* UDP_GRO */, &on, sizeof on);
    send_it("abcdefgh");
    receive(server, &(struct iovec){bytes, 16}, 1, sizeof control, MSG_DONTWAIT);
    putchar('\n');
    part();
}

/* Descriptors that are no datagram sockets with ports. */
static void other_descriptors(void)
{
    int stream[2], datagram[2], ends[2];
    union name source;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), "socketpair");
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), "socketpair");
    must(pipe(ends), "pipe");
    meet("127.0.0.1");
    int tcp = socket(AF_INET, SOCK_STREAM, 0), closed = dup(server);
    close(closed);
    const int each[] = {stream[0], datagram[0], ends[0], tcp, closed, -1, AT_FDCWD, INT_MAX};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct iovec one = {bytes, 8};
        socklen_t len = sizeof source;
        union {
            char bytes[CMSG_SPACE(sizeof(int))];
            struct cmsghdr align;
        } rights = {.bytes = {0}};
        struct msghdr message = {
            .msg_iov = &one, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        printf("descriptor %zu:", i);
        show_result(sendto(each[i], "x", 1, MSG_NOSIGNAL, &server_name.any, name_len));
        show_result(sendmsg(each[i], &message, MSG_NOSIGNAL));
        receive(i < 2 ? (i == 0 ? stream[1] : datagram[1]) : each[i], &one, 1, 64, MSG_DONTWAIT);
        show_result(recvfrom(each[i], bytes, 8, MSG_DONTWAIT, &source.any, &len));
        show_result(recvmmsg(each[i], &(struct mmsghdr){.msg_hdr = message}, 1, MSG_DONTWAIT, NULL));
        putchar('\n');
    }
    struct iovec one = {bytes, 8};
    receive(datagram[1], &one, 1, 64, MSG_DONTWAIT);
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_name = &server_name};
    message.msg_namelen = name_len;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } rights = {.bytes = {0}};
    message.msg_control = &rights;
    message.msg_controllen = sizeof rights;
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    printf("rights over UDP:");
    show_result(sendmsg(client, &message, 0));
    putchar('\n');
    part();
}

int main(int argc, char **argv)
{
    static const int ipv4[] = {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR, IP_RECVOPTS};
    static const int ipv6[] = {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVORIGDSTADDR};
    static const int tos = 0x10, hops = 7, mark = 9, segment = 2;
    struct in_pktinfo from = {.ipi_spec_dst = {htonl(0x7f000001)}};
    if (argc != 3)
        return 2;
    port = (unsigned)atoi(argv[1]);
    other_port = (unsigned)atoi(argv[2]);
    alarm(120);
    last_page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(last_page + PAGE, PAGE);
    read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    flags();
    sizes();
    bad_parts();
    name_sizes();
    control_messages("127.0.0.1", IPPROTO_IP, ipv4, sizeof ipv4 / sizeof *ipv4);
    control_messages("::1", IPPROTO_IPV6, ipv6, sizeof ipv6 / sizeof *ipv6);
    sent_control("127.0.0.1", IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    sent_control("127.0.0.1", IPPROTO_IP, IP_TTL, &hops, sizeof hops);
    sent_control("127.0.0.1", IPPROTO_IP, IP_PKTINFO, &from, sizeof from);
    sent_control("127.0.0.1", IPPROTO_UDP, 103, &segment, 2);
    sent_control("127.0.0.1", SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    sent_control("127.0.0.1", SOL_SOCKET, 12345, &mark, sizeof mark);
    sent_control("::1", IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
    sent_control("::1", IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    vectors();
    pieces();
    other_descriptors();
    return 0;
}
