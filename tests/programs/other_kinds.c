/*
 * other_kinds HOW KIND PORT: uses a socket of neither TCP nor UDP with a port number in its addresses. HOW is how the
 * process got the socket. What the kernel has at the end is read from /proc/net, which nothing translates.
 */
#include "show.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct kind {
    const char *name;
    int family, type, protocol;
    const char *table; /* in /proc/net */
} kinds[] = {{"raw", AF_INET, SOCK_RAW, IPPROTO_UDP, "raw"},
             {"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "raw6"},
             {"header", AF_INET, SOCK_RAW, IPPROTO_RAW, "raw"},
             {"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "icmp"},
             {"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, "icmp6"},
             {"udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, "udplite"},
             {"udplite6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, "udplite6"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int made(const struct kind *kind)
{
    int fd = socket(kind->family, kind->type, kind->protocol);
    if (fd < 0) {
        perror("cannot be made"); /* the test looks for these words */
        exit(3);
    }
    return fd;
}

/* One message that carries a descriptor, for both directions. */
struct parcel {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec part;
    struct mmsghdr message;
};

static struct msghdr *wrap(struct parcel *parcel)
{
    parcel->part = (struct iovec){&parcel->byte, 1};
    parcel->message.msg_hdr = (struct msghdr){.msg_iov = &parcel->part,
                                              .msg_iovlen = 1,
                                              .msg_control = parcel->control,
                                              .msg_controllen = sizeof parcel->control};
    return &parcel->message.msg_hdr;
}

static void send_descriptor(int to, int fd)
{
    struct parcel parcel = {0};
    struct msghdr *message = wrap(&parcel);
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    *control =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(control), &fd, sizeof fd);
    must((int)sendmsg(to, message, 0), "sendmsg");
}

/* Receives it from a child: this process itself must not make such a socket. */
static int received(const struct kind *kind, int at_once)
{
    struct parcel parcel = {0};
    struct msghdr *message = wrap(&parcel);
    int ends[2], fd;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    if (must(fork(), "fork") == 0) {
        send_descriptor(ends[1], made(kind));
        _exit(0);
    }
    close(ends[1]);
    if (at_once)
        must(recvmmsg(ends[0], &parcel.message, 1, 0, NULL), "recvmmsg");
    else
        must((int)recvmsg(ends[0], message, 0), "recvmsg");
    wait(NULL);
    if (message->msg_controllen < CMSG_LEN(sizeof fd)) {
        fputs("cannot be made\n", stderr);
        exit(3);
    }
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof fd);
    return fd;
}

static int come_by(const char *how, const struct kind *kind, char **argv)
{
    if (strcmp(how, "made") == 0)
        return made(kind);
    if (strcmp(how, "syscall") == 0)
        return must((int)syscall(SYS_socket, kind->family, kind->type, kind->protocol), "socket");
    if (strcmp(how, "recvmsg") == 0)
        return received(kind, 0);
    if (strcmp(how, "recvmmsg") == 0)
        return received(kind, 1);
    if (strcmp(how, "inherited") != 0)
        return atoi(how);
    char number[16];
    snprintf(number, sizeof number, "%d", made(kind));
    execl("/proc/self/exe", argv[0], number, argv[2], argv[3], (char *)NULL);
    return must(-1, "exec");
}

static void show_own(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    if (getsockname(fd, &name.any, &len) == 0)
        show_name(&name);
    len = sizeof name;
    if (getpeername(fd, &name.any, &len) == 0)
        show_name(&name);
}

/* Prints the addresses that the kernel has: the fields after the first. */
static void show_table(const char *table)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/net/%s", table);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *at = strtok(line, " "), *own = strtok(NULL, " "), *peer = strtok(NULL, " ");
        if (at != NULL && peer != NULL && strcmp(own, "local_address") != 0)
            printf("%s: %s %s\n", table, own, peer);
    }
    if (file != NULL)
        fclose(file);
}

int main(int argc, char **argv)
{
    const struct kind *kind = kinds;
    if (argc != 4)
        return 2;
    while (kind < kinds + KINDS && strcmp(kind->name, argv[2]) != 0)
        kind++;
    if (kind == kinds + KINDS)
        return 2;
    int fd = come_by(argv[1], kind, argv);
    union name name;
    socklen_t len = make_name(&name, kind->family == AF_INET ? "127.0.0.1" : "::1", (unsigned)atoi(argv[3]));
    static const char echo[64] = {8}; /* a request, as ping sends it */
    static const char echo6[64] = {(char)128};
    const char *packet = kind->family == AF_INET6 ? echo6 : echo;
    printf("bind");
    show_result(bind(fd, &name.any, len));
    printf("sendto");
    ssize_t sent = sendto(fd, packet, sizeof echo, 0, &name.any, len);
    show_result(sent);
    struct iovec part = {(void *)packet, sizeof echo};
    struct mmsghdr message = {
        .msg_hdr = {.msg_name = &name, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1}};
    printf("sendmsg");
    show_result(sendmsg(fd, &message.msg_hdr, 0));
    printf("sendmmsg");
    show_result(sendmmsg(fd, &message, 1, 0));
    struct pollfd arriving = {.fd = fd, .events = POLLIN};
    if (sent > 0 && kind->protocol != IPPROTO_RAW) /* which receives nothing */
        poll(&arriving, 1, 30000);
    printf("recvfrom");
    union name from = {0};
    socklen_t room = sizeof from;
    char got[256];
    show_result(recvfrom(fd, got, sizeof got, MSG_DONTWAIT, &from.any, &room));
    printf("connect");
    show_result(connect(fd, &name.any, len));
    show_own(fd);
    putchar('\n');
    show_table(kind->table);
    return 0;
}
