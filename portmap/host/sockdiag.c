#include "host/sockdiag.h"

#include "base/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int sockdiag_open(void)
{
    return kernel_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* Called for each message of a dump; false ends it. */
typedef bool visit_message(const struct inet_diag_msg *m, int protocol, void *context);

/* Reads the answer to one question, to its end. */
static int read_dump(int fd, int protocol, visit_message *visit, void *context)
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
            if (!visit(NLMSG_DATA(h), protocol, context))
                return -EOVERFLOW;
        }
    }
}

/* One question for the TCP sockets of both families, in every state: the kernel walks its table of
 * connections once. The question is of before Linux 3.3; those of today name a family. */
static int ask_for_tcp(int fd, visit_message *visit, void *context)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = TCPDIAG_GETSOCK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.idiag_family = AF_INET, .idiag_states = ~0U},
    };
    if (send(fd, &question, sizeof question, 0) < 0)
        return -errno;
    return read_dump(fd, IPPROTO_TCP, visit, context);
}

static int ask(int fd, const struct inet_diag_req_v2 *request, visit_message *visit, void *context)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = *request,
    };
    if (send(fd, &question, sizeof question, 0) < 0)
        return -errno;
    int error = read_dump(fd, request->sdiag_protocol, visit, context);
    /* The kernel lacks this family, or the diag module for the protocol: it has no such sockets to show. */
    return error == -ENOENT || error == -EINVAL ? 0 : error;
}

/* Asks about a port in each family and protocol; port 0 means all ports. */
static int ask_all(int fd, unsigned port, uint32_t tcp_states, visit_message *visit, void *context)
{
    static const struct {
        uint8_t family, protocol;
    } questions[] = {
        {AF_INET, IPPROTO_TCP}, {AF_INET6, IPPROTO_TCP}, {AF_INET, IPPROTO_UDP}, {AF_INET6, IPPROTO_UDP}};
    for (unsigned i = 0; i < sizeof questions / sizeof *questions; i++) {
        const struct inet_diag_req_v2 request = {
            .sdiag_family = questions[i].family,
            .sdiag_protocol = questions[i].protocol,
            .idiag_states = questions[i].protocol == IPPROTO_TCP ? tcp_states : ~0U,
            .id.idiag_sport = htons((uint16_t)port),
        };
        int error = ask(fd, &request, visit, context);
        if (error != 0)
            return error;
    }
    return 0;
}

struct counting {
    unsigned port;
    struct sockdiag_port *answer;
};

static bool count(const struct inet_diag_msg *m, int protocol, void *context)
{
    const struct counting *counting = context;
    struct sockdiag_port *answer = counting->answer;
    /* Linux filters by port already. Another kernel that answers in its place may not. */
    if (ntohs(m->id.idiag_sport) != counting->port)
        return true;
    if (protocol == IPPROTO_UDP)
        answer->udp++;
    else if (m->idiag_state == TCP_LISTEN)
        answer->tcp_listening++;
    else if (m->idiag_state == TCP_TIME_WAIT)
        answer->tcp_time_wait++;
    else
        answer->tcp_other++;
    return true;
}

int sockdiag_ask(int fd, unsigned port, enum sockdiag_question question, struct sockdiag_port *answer)
{
    struct counting counting = {port, answer};
    memset(answer, 0, sizeof *answer);
    return ask_all(fd, port, question == SOCKDIAG_SERVERS ? 1U << TCP_LISTEN : ~0U, count, &counting);
}

struct telling {
    sockdiag_visit *visit;
    void *context;
    unsigned most;
};

static bool tell(const struct inet_diag_msg *m, int protocol, void *context)
{
    struct telling *telling = context;
    const struct sockdiag_socket socket = {.port = ntohs(m->id.idiag_sport),
                                           .protocol = (unsigned)protocol,
                                           .listens = protocol == IPPROTO_TCP && m->idiag_state == TCP_LISTEN,
                                           .inode = m->idiag_inode};
    telling->visit(&socket, telling->context);
    return --telling->most > 0;
}

int sockdiag_each(int fd, sockdiag_visit *visit, void *context)
{
    enum { BOUND_INACTIVE = 13 }; /* TCP_BOUND_INACTIVE, which older headers lack; older kernels ignore it */
    struct telling telling = {visit, context, ~0U};
    return ask_all(fd, 0, 1U << TCP_LISTEN | 1U << BOUND_INACTIVE, tell, &telling);
}

int sockdiag_every(int fd, sockdiag_visit *visit, void *context)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct telling telling = {visit, context, SOCKDIAG_MOST};
    int error = ask_for_tcp(fd, tell, &telling);
    for (unsigned i = 0; error == 0 && i < sizeof families; i++) {
        const struct inet_diag_req_v2 udp = {
            .sdiag_family = families[i], .sdiag_protocol = IPPROTO_UDP, .idiag_states = ~0U};
        error = ask(fd, &udp, tell, &telling);
    }
    return error;
}

struct holding {
    unsigned port, held, left_over;
};

/* A socket that belongs to no process has no inode: the kernel alone still needs it. */
static bool count_held(const struct inet_diag_msg *m, int protocol, void *context)
{
    struct holding *holding = context;
    (void)protocol;
    if (ntohs(m->id.idiag_sport) == holding->port)
        ++*(m->idiag_inode != 0 ? &holding->held : &holding->left_over);
    return true;
}

int sockdiag_is_held(unsigned port)
{
    struct holding holding = {.port = port};
    int fd = sockdiag_open();
    if (fd < 0)
        return fd;
    int error = ask_all(fd, port, ~0U, count_held, &holding);
    close(fd);
    if (error != 0)
        return error;
    /* What cannot be bound, and is not shown, is a socket that older kernels do not show. */
    return holding.held > 0 || holding.left_over == 0;
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
