/*
 * bad_pointers WAY PORT PORT: makes every call with pointers and lengths that no program should pass. The
 * first port has servers, which show what is sent in spite of that; the second port is for bind().
 */
#include "calls.h"
#include "show.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST_PLACES = 24 };

static const struct calls *by;
static unsigned server_port, free_port;

/* Servers for both families. */
static const char *const loopback[] = {"127.0.0.1", "::1"};
static int listener[2], receiver[2];

/* A place that a pointer points to. */
struct place {
    const char *name;
    void *at;
    size_t room; /* bytes that can be read or written there, if known */
    int writable;
};

static unsigned char *no_access, *read_only, *last_page, *two_pages;

static void *pages(unsigned count, int protection)
{
    void *at = mmap(NULL, (size_t)count * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        exit(2);
    return at;
}

static void map_pages(void)
{
    no_access = pages(1, PROT_NONE);
    read_only = pages(1, PROT_READ);
    two_pages = pages(2, PROT_READ | PROT_WRITE);
    last_page = pages(2, PROT_READ | PROT_WRITE);
    munmap(last_page + PAGE, PAGE);
}

/* Makes the places for this content, or, if content is NULL, places to be written to. */
static unsigned make_places(struct place *places, const void *content, size_t size)
{
    static const size_t rooms[] = {1, 2, 3, 4, 8, 15, 16, 20, 24, 27, 28, 56};
    static unsigned char ordinary[PAGE];
    unsigned count = 0;
    places[count++] = (struct place){"NULL", NULL, 0, 0};
    places[count++] = (struct place){"1", (void *)1, 0, 0};
    places[count++] = (struct place){"the first page's end", (void *)(PAGE - 1), 0, 0};
    places[count++] = (struct place){"the kernel", (void *)0xffff888000000000, 0, 0};
    places[count++] = (struct place){"nowhere", (void *)0x8000000000000000, 0, 0};
    places[count++] = (struct place){"the last byte", (void *)UINTPTR_MAX, 0, 0};
    places[count++] = (struct place){"a page without access", no_access, 0, 0};
    places[count++] = (struct place){"a page to read only", read_only, size, 0};
    places[count++] = (struct place){"across two pages", two_pages + PAGE - 3, PAGE, 1};
    places[count++] = (struct place){"ordinary memory", ordinary + 1, PAGE - 1, 1};
    if (content != NULL) {
        mprotect(read_only, PAGE, PROT_READ | PROT_WRITE);
        memcpy(read_only, content, size);
        mprotect(read_only, PAGE, PROT_READ);
        memcpy(two_pages + PAGE - 3, content, size);
        memcpy(ordinary + 1, content, size);
    }
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        places[count++] =
            (struct place){"before a page without access", last_page + PAGE - rooms[i], rooms[i], 1};
    return count;
}

/* Places at the end of the page overlap, so each is filled just before it is used. */
static void fill(const struct place *place, const void *content, size_t size)
{
    if (place->writable)
        memcpy(place->at, content, place->room < size ? place->room : size);
}

static int with_timeout(int fd)
{
    struct timeval patience = {.tv_sec = 60};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static int opened(int family, int type)
{
    return must(socket(family, type, 0), "socket");
}

/* The descriptors to try. Sockets are made anew for each call. */
static const char *const kinds[] = {"TCP",
                                    "UDP",
                                    "TCP of the other family",
                                    "UDP of the other family",
                                    "unix",
                                    "unix stream",
                                    "netlink",
                                    "file",
                                    "pipe",
                                    "nothing",
                                    "beyond all"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int make_kind(unsigned kind, int family)
{
    int other = family == AF_INET ? AF_INET6 : AF_INET, ends[2];
    switch (kind) {
    case 0:
        return opened(family, SOCK_STREAM);
    case 1:
        return opened(family, SOCK_DGRAM);
    case 2:
        return opened(other, SOCK_STREAM);
    case 3:
        return opened(other, SOCK_DGRAM);
    case 4:
        return opened(AF_UNIX, SOCK_DGRAM);
    case 5:
        return opened(AF_UNIX, SOCK_STREAM);
    case 6:
        return opened(AF_NETLINK, SOCK_RAW);
    case 7:
        return must(open("/dev/null", O_RDWR), "/dev/null");
    case 8:
        must(pipe(ends), "pipe");
        close(ends[0]);
        return ends[1];
    case 9:
        return -1;
    default:
        return 1 << 20;
    }
}

/* What was sent may arrive some time after the call that sends it: the kernel may leave it to a thread of its
 * own. */
static void wait_until_arrived(int fd)
{
    struct pollfd arriving = {.fd = fd, .events = POLLIN};
    poll(&arriving, 1, 60000);
}

/* Prints what has arrived at the servers. So many connections or datagrams must arrive at one of them. */
static void show_arrived(long expected)
{
    struct pollfd servers[4];
    long count[4] = {0}, sum = 0;
    char byte;
    for (int i = 0; i < 4; i++)
        servers[i] = (struct pollfd){.fd = i % 2 == 0 ? listener[i / 2] : receiver[i / 2], .events = POLLIN};
    do
        for (int i = 0; i < 4; i++)
            for (int got; (got = i % 2 == 0 ? accept(servers[i].fd, NULL, NULL)
                                            : (int)recv(servers[i].fd, &byte, 1, MSG_DONTWAIT)) >= 0;) {
                if (i % 2 == 0)
                    close(got);
                count[i]++;
                sum++;
            }
    while (sum < expected && poll(servers, 4, 60000) > 0);
    for (int i = 0; i < 4; i++)
        for (long left = count[i]; left > 0; left--)
            printf(" a %s at %s", i % 2 == 0 ? "connection" : "datagram", loopback[i / 2]);
}

static void show_own_port(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    if (getsockname(fd, &name.any, &len) == 0)
        show_name(&name);
}

/* Addresses on their way to the kernel. */

static long try_bind(int fd, const void *address, socklen_t len)
{
    return by->bind(fd, address, len);
}

static long try_connect(int fd, const void *address, socklen_t len)
{
    return by->connect(fd, address, len);
}

static long try_sendto(int fd, const void *address, socklen_t len)
{
    return by->sendto(fd, "x", 1, MSG_NOSIGNAL, address, len);
}

static long try_fast_open(int fd, const void *address, socklen_t len)
{
    return by->sendto(fd, "x", 1, MSG_NOSIGNAL | MSG_FASTOPEN, address, len);
}

static struct msghdr message_to(const void *address, socklen_t len)
{
    static struct iovec part = {"x", 1};
    return (struct msghdr){
        .msg_name = (void *)address, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1};
}

static long try_sendmsg(int fd, const void *address, socklen_t len)
{
    struct msghdr message = message_to(address, len);
    return by->sendmsg(fd, &message, MSG_NOSIGNAL);
}

static long try_sendmmsg(int fd, const void *address, socklen_t len)
{
    struct mmsghdr messages[2] = {{.msg_hdr = message_to(address, len), .msg_len = 77},
                                  {.msg_hdr = message_to(address, len), .msg_len = 77}};
    long sent = by->sendmmsg(fd, messages, 2, MSG_NOSIGNAL);
    printf(" (%u, %u)", messages[0].msg_len, messages[1].msg_len);
    return sent;
}

static const struct {
    const char *name;
    long (*try)(int, const void *, socklen_t);
} outward[] = {{"bind", try_bind},       {"connect", try_connect},   {"sendto", try_sendto},
               {"sendmsg", try_sendmsg}, {"sendmmsg", try_sendmmsg}, {"fast open", try_fast_open}};

static const socklen_t lengths[] = {0,  1,   2,   3,   4,    8,         15,         16,
                                    17, 20,  23,  24,  25,   27,        28,         29,
                                    64, 127, 128, 129, 4096, INT32_MAX, 0x80000000, UINT32_MAX};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* How many connections or datagrams a call on that kind of socket has sent to a server. */
static long arriving(size_t call, unsigned kind, long result)
{
    if (result < 0 || call == 0 || kind > 3)
        return 0;
    if (kind % 2 == 0) /* TCP */
        return 1;
    return call == 1 ? 0 : call == 4 ? result : 1;
}

static void one_outward(size_t call, unsigned kind, int family, const struct place *place, socklen_t len)
{
    int fd = make_kind(kind, family);
    printf("%s on %s: %s (%zu), length %d:", outward[call].name, kinds[kind], place->name, place->room,
           (int)len);
    long result = outward[call].try(fd, place->at, len);
    show_result(result);
    if (call == 0 && result == 0)
        show_own_port(fd);
    show_arrived(arriving(call, kind, result));
    reset(fd);
    putchar('\n');
}

static void all_outward(int family)
{
    struct place places[MOST_PLACES];
    for (size_t call = 0; call < sizeof outward / sizeof *outward; call++) {
        union name name;
        char content[PAGE / 2] = {0};
        make_name(&name, loopback[family == AF_INET6], call == 0 ? free_port : server_port);
        memcpy(content, &name, sizeof name);
        unsigned count = make_places(places, content, sizeof content);
        for (unsigned kind = 0; kind < KINDS; kind++)
            for (unsigned place = 0; place < count; place++)
                for (unsigned i = 0; i < LENGTHS; i++) {
                    fill(&places[place], content, sizeof content);
                    one_outward(call, kind, family, &places[place], lengths[i]);
                }
    }
}

/* Addresses on their way to the program. */

static int connected(int family, int type)
{
    union name name;
    int fd = opened(family, type);
    socklen_t len = make_name(&name, loopback[family == AF_INET6], server_port);
    must(connect(fd, &name.any, len), "connect");
    if (type == SOCK_STREAM)
        wait_until_arrived(listener[family == AF_INET6]);
    return fd;
}

static long ask_getsockname(int server, int client, void *address, socklen_t *len)
{
    (void)client;
    return by->getsockname(server, address, len);
}

static long ask_getpeername(int server, int client, void *address, socklen_t *len)
{
    (void)server;
    return by->getpeername(client, address, len);
}

static long close_accepted(int fd)
{
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static long ask_accept(int server, int client, void *address, socklen_t *len)
{
    (void)client;
    return close_accepted(by->accept(server, address, len));
}

static long ask_accept4(int server, int client, void *address, socklen_t *len)
{
    (void)client;
    return close_accepted(by->accept4(server, address, len));
}

static long ask_recvfrom(int server, int client, void *address, socklen_t *len)
{
    char byte;
    must((int)send(client, "x", 1, 0), "send");
    wait_until_arrived(server);
    return by->recvfrom(server, &byte, 1, MSG_DONTWAIT, address, len);
}

/* A stream has no source address: the kernel writes none, so the pointer may be bad. */
static long ask_stream(int server, int client, void *address, socklen_t *len)
{
    char byte;
    int connection = must(accept(server, NULL, NULL), "accept");
    must((int)send(client, "x", 1, 0), "send");
    long received = by->recvfrom(connection, &byte, 1, 0, address, len);
    close(connection);
    return received;
}

static const struct {
    const char *name;
    int type;
    long (*ask)(int, int, void *, socklen_t *);
} inward[] = {{"getsockname", SOCK_STREAM, ask_getsockname}, {"getpeername", SOCK_STREAM, ask_getpeername},
              {"getsockname", SOCK_DGRAM, ask_getsockname},  {"getpeername", SOCK_DGRAM, ask_getpeername},
              {"accept", SOCK_STREAM, ask_accept},           {"accept4", SOCK_STREAM, ask_accept4},
              {"recvfrom", SOCK_DGRAM, ask_recvfrom},        {"recvfrom", SOCK_STREAM, ask_stream}};

/* Prints what was written, without the client's port, which the kernel chooses. */
static void show_written(const struct place *place, int whole)
{
    unsigned char seen[40] = {0};
    size_t room = place->room < sizeof seen ? place->room : sizeof seen;
    if (!place->writable)
        return;
    memcpy(seen, place->at, room);
    if (!whole)
        memset(seen + 2, 0, 2);
    show_bytes(seen, room);
}

static void one_inward(size_t call, int family, const struct place *place, const struct place *length,
                       socklen_t len)
{
    int type = inward[call].type, i = family == AF_INET6;
    int server = type == SOCK_STREAM ? listener[i] : receiver[i];
    int client = connected(family, type);
    unsigned char filling[64];
    memset(filling, 0xa5, sizeof filling);
    fill(place, filling, sizeof filling);
    fill(length, &len, sizeof len);
    printf("%s of %d: %s (%zu), length %d in %s (%zu):", inward[call].name, type, place->name, place->room,
           (int)len, length->name, length->room);
    long result = inward[call].ask(server, client, place->at, length->at);
    show_result(result);
    if (result >= 0) { /* after an error, the kernel may have written a part */
        show_written(length, 1);
        show_written(place, call < 4);
    }
    reset(client);
    show_arrived(0); /* it has arrived already */
    putchar('\n');
}

static void all_inward(int family)
{
    static const socklen_t sizes[] = {0, 2, 4, 15, 16, 20, 28, 64, 128, INT32_MAX, 0x80000000, UINT32_MAX};
    struct place places[MOST_PLACES], of_length[MOST_PLACES];
    static unsigned char somewhere[16];
    for (size_t call = 0; call < sizeof inward / sizeof *inward; call++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned count = make_places(places, &sizes[i], sizeof sizes[i]);
            unsigned lengths_count = make_places(of_length, &sizes[i], sizeof sizes[i]);
            /* Bad places for the address with a good one for the length, the other way round, and bad ones
             * for both. */
            struct place good = {"other memory", somewhere, sizeof somewhere, 1};
            struct place good_length = {"other memory", somewhere, sizeof somewhere, 1};
            for (unsigned place = 0; place < count; place++)
                one_inward(call, family, &places[place], &good_length, sizes[i]);
            for (unsigned length = 0; length < lengths_count; length++)
                one_inward(call, family, &good, &of_length[length], sizes[i]);
            one_inward(call, family, &places[0], &of_length[0], sizes[i]);
        }
    }
}

/* Headers of messages. */

static void show_message(const struct msghdr *message)
{
    printf(" name length %u, control %zu, flags %x", message->msg_namelen, message->msg_controllen,
           (unsigned)message->msg_flags);
}

static void one_recvmsg(int family, const struct place *header, const struct place *name, socklen_t len)
{
    int i = family == AF_INET6, client = connected(family, SOCK_DGRAM);
    char byte, filling[64];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_name = name->at, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1};
    must((int)send(client, "x", 1, 0), "send");
    wait_until_arrived(receiver[i]);
    memset(filling, 0xa5, sizeof filling);
    fill(name, filling, sizeof filling);
    if (header->at == read_only) {
        mprotect(read_only, PAGE, PROT_READ | PROT_WRITE);
        memcpy(read_only, &message, sizeof message);
        mprotect(read_only, PAGE, PROT_READ);
    }
    fill(header, &message, sizeof message);
    printf("recvmsg: header in %s (%zu), name in %s (%zu), length %d:", header->name, header->room,
           name->name, name->room, (int)len);
    long result = by->recvmsg(receiver[i], header->at, MSG_DONTWAIT);
    show_result(result);
    if (header->writable && header->room >= sizeof message) {
        memcpy(&message, header->at, sizeof message);
        show_message(&message);
    }
    if (result >= 0)
        show_written(name, 0);
    close(client);
    show_arrived(0);
    putchar('\n');
}

static void all_recvmsg(int family)
{
    static struct msghdr other;
    struct place places[MOST_PLACES], good = {"other memory", &other, sizeof other, 1};
    static unsigned char somewhere[64];
    struct place good_name = {"more memory", somewhere, sizeof somewhere, 1};
    unsigned count = make_places(places, NULL, PAGE / 2);
    for (unsigned place = 0; place < count; place++)
        for (unsigned i = 0; i < LENGTHS; i++) {
            one_recvmsg(family, &good, &places[place], lengths[i]);
            one_recvmsg(family, &places[place], &good_name, lengths[i]);
        }
}

/* A vector of messages whose end cannot be read: the kernel handles those before it. */
static void all_vectors(int family)
{
    enum { MOST = 20 };
    int i = family == AF_INET6;
    union name name, source[MOST];
    socklen_t len = make_name(&name, loopback[i], server_port);
    struct iovec part = {"x", 1};
    for (unsigned good = 0; good <= MOST; good++) {
        struct mmsghdr *messages = (void *)(last_page + PAGE - good * sizeof *messages);
        int client = opened(family, SOCK_DGRAM);
        for (unsigned m = 0; m < good; m++)
            messages[m] = (struct mmsghdr){
                .msg_hdr = {.msg_name = &name, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1}};
        printf("sendmmsg: %u good of %u:", good, good + 1);
        long sent = by->sendmmsg(client, messages, good + 1, 0);
        show_result(sent);
        for (unsigned m = 0; m < good; m++)
            printf(" %u", messages[m].msg_len);
        show_arrived(sent);
        putchar('\n');
        close(client);
    }
    for (socklen_t room = 16; room <= sizeof name; room += 28)
        for (unsigned good = 0; good <= MOST; good++) {
            struct mmsghdr *messages = (void *)(last_page + PAGE - good * sizeof *messages);
            int server = with_timeout(opened(family, SOCK_DGRAM)), client = opened(family, SOCK_DGRAM);
            union name own, to;
            socklen_t own_len = make_name(&own, loopback[i], free_port);
            must(bind(server, &own.any, own_len), "bind");
            /* Send from the other placeholder, whose socket exists already. */
            memcpy(&to, &own, sizeof to);
            for (unsigned m = 0; m < good + 1; m++)
                must((int)sendto(receiver[i], "x", 1, 0, &to.any, own_len), "sendto");
            memset(source, 0xa5, sizeof source);
            for (unsigned m = 0; m < good; m++) {
                static char bytes[MOST];
                static struct iovec parts[MOST];
                parts[m] = (struct iovec){&bytes[m], 1};
                messages[m] = (struct mmsghdr){
                    .msg_hdr = {
                        .msg_name = &source[m], .msg_namelen = room, .msg_iov = &parts[m], .msg_iovlen = 1}};
            }
            printf("recvmmsg: %u good of %u, room %u:", good, good + 1, room);
            show_result(by->recvmmsg(server, messages, good + 1, 0));
            for (unsigned m = 0; m < good; m++) {
                printf(" %u", messages[m].msg_hdr.msg_namelen);
                show_name(&source[m]);
            }
            putchar('\n');
            close(server);
            close(client);
        }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    by = calls_by(argv[1]);
    server_port = (unsigned)atoi(argv[2]);
    free_port = (unsigned)atoi(argv[3]);
    map_pages();
    for (int i = 0; i < 2; i++) {
        union name name;
        int family = i == 0 ? AF_INET : AF_INET6;
        socklen_t len = make_name(&name, loopback[i], server_port);
        listener[i] = opened(family, SOCK_STREAM | SOCK_NONBLOCK);
        receiver[i] = opened(family, SOCK_DGRAM);
        must(bind(listener[i], &name.any, len), "bind");
        must(bind(receiver[i], &name.any, len), "bind");
        must(listen(listener[i], 8), "listen");
    }
    for (int i = 0; i < 2; i++) {
        int family = i == 0 ? AF_INET : AF_INET6;
        all_outward(family);
        all_inward(family);
        all_recvmsg(family);
        all_vectors(family);
    }
    return 0;
}
