#include "sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int sockdiag_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return fd < 0 ? -errno : fd;
}

static void count(const struct inet_diag_msg *m, int protocol, struct sockdiag_port *answer)
{
    bool usable = true;
    if (protocol == IPPROTO_UDP)
        answer->udp++;
    else if (m->idiag_state == TCP_LISTEN)
        answer->tcp_listening++;
    else if (m->idiag_state == TCP_TIME_WAIT) {
        answer->tcp_time_wait++;
        usable = false;
    } else {
        answer->tcp_other++;
        usable = false;
    }
    if (usable && answer->inode_count < SOCKDIAG_INODES)
        answer->inodes[answer->inode_count++] = m->idiag_inode;
}

/* Reads datagrams until the dump's end. */
static int read_dump(int fd, unsigned port, int protocol, struct sockdiag_port *answer)
{
    union {
        struct nlmsghdr header;
        char bytes[16384];
    } buffer;
    for (;;) {
        ssize_t got = recv(fd, &buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        size_t left = (size_t)got;
        for (struct nlmsghdr *h = &buffer.header; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return 0;
            if (h->nlmsg_type == NLMSG_ERROR)
                return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
            const struct inet_diag_msg *m = NLMSG_DATA(h);
            /* The kernel filters by port already; a server of its own kind that does not is no surprise. */
            if (ntohs(m->id.idiag_sport) == port)
                count(m, protocol, answer);
        }
    }
}

static int ask(int fd, unsigned port, int family, int protocol, uint32_t states, struct sockdiag_port *answer)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = (uint8_t)family,
                    .sdiag_protocol = (uint8_t)protocol,
                    .idiag_states = states,
                    .id.idiag_sport = htons((uint16_t)port)},
    };
    if (send(fd, &question, sizeof question, 0) < 0)
        return -errno;
    int error = read_dump(fd, port, protocol, answer);
    /* A kernel without this family, or without the diag module for the protocol, has no such sockets to show.
     */
    return error == -ENOENT || error == -EINVAL ? 0 : error;
}

int sockdiag_ask(int fd, unsigned port, enum sockdiag_question question, struct sockdiag_port *answer)
{
    static const struct {
        int family, protocol;
    } questions[] = {
        {AF_INET, IPPROTO_TCP}, {AF_INET6, IPPROTO_TCP}, {AF_INET, IPPROTO_UDP}, {AF_INET6, IPPROTO_UDP}};
    uint32_t tcp_states = question == SOCKDIAG_SERVERS ? 1U << TCP_LISTEN : ~0U;
    memset(answer, 0, sizeof *answer);
    for (unsigned i = 0; i < sizeof questions / sizeof *questions; i++) {
        uint32_t states = questions[i].protocol == IPPROTO_TCP ? tcp_states : ~0U;
        int error = ask(fd, port, questions[i].family, questions[i].protocol, states, answer);
        if (error != 0)
            return error;
    }
    return 0;
}

int sockdiag_only_time_wait(unsigned port)
{
    struct sockdiag_port found;
    int fd = sockdiag_open();
    if (fd < 0)
        return fd;
    int error = sockdiag_ask(fd, port, SOCKDIAG_EVERYTHING, &found);
    close(fd);
    if (error != 0)
        return error;
    return found.tcp_time_wait > 0 && found.tcp_listening + found.tcp_other + found.udp == 0;
}
