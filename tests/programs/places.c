/*
 * places HOW ADDRESS TCP-PORT UDP-PORT: makes every call with addresses in every kind of memory. The ports are
 * those of its own servers; it fails when a call tells it another one.
 *
 * HOW is `twice`: does everything twice, with marks before and after the second time; or `prctl` or `seccomp`:
 * first installs, by that call, a filter that kills the process on any system call but those that it makes.
 */
#include "show.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One kind of memory, handed out piece by piece. */
struct place {
    const char *name;
    char *at; /* NULL: each piece from malloc(), so that valgrind knows its end */
};

enum { ROOM = 1024 };
static char in_bss[ROOM], in_data[ROOM] = "data";
static __thread char in_tls[ROOM];
static const char *address;
static unsigned tcp_port, udp_port;
static int listener, receiver;

static void *get(struct place *place, size_t size)
{
    if (place->at == NULL)
        return malloc(size);
    char *piece = place->at;
    place->at += (size + 15) / 16 * 16;
    return piece;
}

static void expect(unsigned port, const union name *name, const struct place *place, const char *call)
{
    if (ntohs(name->ipv4.sin_port) == port)
        return;
    fprintf(stderr, "%s in %s: %u\n", call, place->name, ntohs(name->ipv4.sin_port));
    exit(1);
}

struct pieces {
    union name *to, *from;
    socklen_t *len;
    struct mmsghdr *message;
};

static void streams(struct place *place, struct pieces *p)
{
    for (int flags = 0; flags < 2; flags++) {
        socklen_t len = make_name(p->to, address, tcp_port);
        int client = must(socket(p->to->any.sa_family, SOCK_STREAM, 0), "socket");
        must(connect(client, &p->to->any, len), "connect");
        *p->len = len;
        int server = flags == 0 ? accept(listener, &p->from->any, p->len)
                                : accept4(listener, &p->from->any, p->len, SOCK_CLOEXEC);
        must(server, "accept");
        *p->len = len;
        must(getsockname(server, &p->from->any, p->len), "getsockname");
        expect(tcp_port, p->from, place, "getsockname");
        *p->len = len;
        must(getpeername(client, &p->from->any, p->len), "getpeername");
        expect(tcp_port, p->from, place, "getpeername");
        close(client);
        close(server);
    }
}

static struct msghdr *message_of(struct place *place, struct pieces *p, union name *name, socklen_t len)
{
    struct iovec *part = get(place, sizeof *part);
    char *byte = get(place, 1);
    *byte = 'x';
    *part = (struct iovec){byte, 1};
    *p->message =
        (struct mmsghdr){.msg_hdr = {.msg_name = name, .msg_namelen = len, .msg_iov = part, .msg_iovlen = 1}};
    return &p->message->msg_hdr;
}

/* Sends in each of three ways, and checks the server's name in the answer. */
static void datagrams(struct place *place, struct pieces *p)
{
    int client = must(socket(strchr(address, ':') != NULL ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), "socket");
    for (int way = 0; way < 3; way++) {
        socklen_t len = make_name(p->to, address, udp_port);
        char byte;
        if (way == 0)
            must((int)sendto(client, "x", 1, 0, &p->to->any, len), "sendto");
        else if (way == 1)
            must((int)sendmsg(client, message_of(place, p, p->to, len), 0), "sendmsg");
        else if (message_of(place, p, p->to, len) != NULL)
            must(sendmmsg(client, p->message, 1, 0), "sendmmsg");
        *p->len = len;
        must((int)recvfrom(receiver, &byte, 1, 0, &p->from->any, p->len), "recvfrom");
        must((int)sendto(receiver, "x", 1, 0, &p->from->any, *p->len), "sendto");
        *p->len = len;
        if (way == 0)
            must((int)recvfrom(client, &byte, 1, 0, &p->from->any, p->len), "recvfrom");
        else if (way == 1)
            must((int)recvmsg(client, message_of(place, p, p->from, len), 0), "recvmsg");
        else if (message_of(place, p, p->from, len) != NULL)
            must(recvmmsg(client, p->message, 1, 0, NULL), "recvmmsg");
        expect(udp_port, p->from, place, "a datagram's source");
    }
    make_name(p->to, address, udp_port);
    must(connect(client, &p->to->any, sizeof p->to->ipv4), "connect");
    must((int)send(client, "x", 1, 0), "send");
    must((int)recv(receiver, p->from, 1, 0), "recv");
    close(client);
}

static void all_calls(struct place place)
{
    /* Buffers of just the length of an IPv4 address. */
    struct pieces pieces = {get(&place, sizeof(struct sockaddr_storage)),
                            get(&place, sizeof(struct sockaddr_in)), get(&place, sizeof(socklen_t)),
                            get(&place, sizeof(struct mmsghdr))};
    streams(&place, &pieces);
    datagrams(&place, &pieces);
}

static void install(const char *how)
{
    static const unsigned allowed[] = {
        SYS_socket,   SYS_connect,  SYS_getsockname, SYS_getpeername, SYS_accept4,
        SYS_sendto,   SYS_recvfrom, SYS_sendmsg,     SYS_recvmsg,     SYS_sendmmsg,
        SYS_recvmmsg, SYS_close,    SYS_write,       SYS_exit_group,  SYS_brk, /* malloc() */
#ifdef SYS_accept
        SYS_accept,
#endif
    };
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct sock_filter rules[2 * COUNT + 2];
    unsigned used = 0;
    rules[used++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < COUNT; i++) {
        rules[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        rules[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    rules[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    struct sock_fprog program = {(unsigned short)used, rules};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    if (strcmp(how, "prctl") == 0)
        must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "prctl");
    else
        must((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
}

static void mark(const char *text)
{
    must((int)write(STDOUT_FILENO, text, strlen(text)), "write");
}

static void *lend_stack(void *to)
{
    char own[ROOM];
    *(char *volatile *)to = own;
    pause();
    return NULL;
}

static int server(int type, unsigned port)
{
    union name name;
    socklen_t len = make_name(&name, address, port);
    int fd = must(socket(name.any.sa_family, type, 0), "socket");
    must(bind(fd, &name.any, len), "bind");
    if (type == SOCK_STREAM)
        must(listen(fd, 8), "listen");
    return fd;
}

int main(int argc, char **argv)
{
    char on_stack[ROOM], *volatile of_thread = NULL;
    pthread_t thread;
    if (argc != 5)
        return 2;
    address = argv[2];
    tcp_port = (unsigned)atoi(argv[3]);
    udp_port = (unsigned)atoi(argv[4]);
    listener = server(SOCK_STREAM, tcp_port);
    receiver = server(SOCK_DGRAM, udp_port);
    pthread_create(&thread, NULL, lend_stack, (void *)&of_thread);
    while (of_thread == NULL)
        sched_yield();
    char *mapped = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct place places[] = {{"the stack", on_stack},
                             {".bss", in_bss},
                             {".data", in_data},
                             {"thread-local memory", in_tls},
                             {"the heap", NULL},
                             {"an mmap", mapped},
                             {"another thread's stack", of_thread}};
    enum { PLACES = sizeof places / sizeof *places };
    free(malloc(ROOM)); /* make the heap before the marks and the filter */
    int twice = strcmp(argv[1], "twice") == 0;
    if (!twice)
        install(argv[1]);
    for (unsigned i = 0; i < PLACES; i++)
        all_calls(places[i]);
    if (!twice)
        mark("done\n");
    if (!twice)
        _exit(0);
    mark("begin\n");
    for (unsigned i = 0; i < PLACES; i++)
        all_calls(places[i]);
    mark("end\n");
    _exit(0);
}
