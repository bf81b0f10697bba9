/*
 * sendto(2), sendmsg(2) and sendmmsg(2) of trapped programs: a datagram to a placeholder on this host is sent
 * from here, with the real port in a copy of its destination; so is the start of a connection that carries
 * data (MSG_FASTOPEN). Data and control messages are copied as well. What cannot be copied, the kernel would
 * refuse: it is left to the kernel, which finds the right error.
 */
#include "base/kernel.h"
#include "rules/kind.h"
#include "run/portset.h"
#include "trap/calls.h"
#include "trap/message.h"
#include "trap/remote.h"
#include "trap/status.h"
#include "trap/waiting.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MOST_DATA = 65535, /* of a datagram; for more the kernel says EMSGSIZE */
    MOST_CONTROL = 65536,
    MOST_MESSAGES = 1024, /* sendmmsg(2) sends no more at once */
};

static unsigned char buffer[MOST_DATA], control_in[MOST_CONTROL], control[2 * MOST_CONTROL];

/* Control messages that the kernel knows (ip_cmsg_send(), ip6_datagram_send_ctl(), __sock_cmsg_send()), those
 * of other levels apart, and whether they take privileges. */
static const struct {
    int level, type;
    bool is_privileged;
} known[] = {
    {IPPROTO_IP, IP_TOS, false},
    {IPPROTO_IP, IP_TTL, false},
    {IPPROTO_IP, IP_RETOPTS, true},
    {IPPROTO_IP, IP_PKTINFO, false},
    {IPPROTO_IP, 52 /* IP_PROTOCOL */, false},
    {IPPROTO_IPV6, IPV6_2292PKTINFO, false},
    {IPPROTO_IPV6, IPV6_2292HOPOPTS, true},
    {IPPROTO_IPV6, IPV6_2292DSTOPTS, true},
    {IPPROTO_IPV6, IPV6_2292RTHDR, false},
    {IPPROTO_IPV6, IPV6_2292HOPLIMIT, false},
    {IPPROTO_IPV6, 11 /* IPV6_FLOWINFO */, false},
    {IPPROTO_IPV6, IPV6_PKTINFO, false},
    {IPPROTO_IPV6, IPV6_HOPLIMIT, false},
    {IPPROTO_IPV6, IPV6_HOPOPTS, true},
    {IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, true},
    {IPPROTO_IPV6, IPV6_RTHDR, false},
    {IPPROTO_IPV6, IPV6_DSTOPTS, true},
    {IPPROTO_IPV6, IPV6_DONTFRAG, false},
    {IPPROTO_IPV6, IPV6_TCLASS, false},
    {SOL_SOCKET, SCM_RIGHTS, false},
    {SOL_SOCKET, SCM_CREDENTIALS, false},
    {SOL_SOCKET, SO_PRIORITY, true},
    {SOL_SOCKET, SO_MARK, true},
    {SOL_SOCKET, 37 /* SO_TIMESTAMPING */, false},
    {SOL_SOCKET, 61 /* SO_TXTIME */, false},
    {SOL_SOCKET, 65 /* SO_TIMESTAMPING_NEW */, false},
    {SOL_SOCKET, 81 /* SCM_TS_OPT_ID */, false},
};

/* The errno by which the kernel refuses the message to a program without privileges; else 0. */
static int refusal_of(const struct control *message)
{
    if (message->level != IPPROTO_IP && message->level != IPPROTO_IPV6 && message->level != SOL_SOCKET)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].level == message->level && known[i].type == message->type)
            return known[i].is_privileged ? EPERM : 0;
    return EINVAL;
}

/* The kernel looks at the capabilities of this process, which may have more than the program: a supervisor of
 * root's, of a program that has dropped its privileges. Returns the errno for that program, or 0. */
static int refusal(const struct call *call, const unsigned char *messages, size_t size)
{
    struct control message;
    while (message_next_control(&messages, &size, &message)) {
        int error = refusal_of(&message);
        if (error != 0 && status_is_network_admin(getpid()) && !status_is_network_admin(call->thread))
            return error;
    }
    return 0;
}

/* Message i of the call. False when its header cannot be read. */
static bool read_message(const struct call *call, unsigned i, struct message *message)
{
    const struct layout *layout = layout_of(call);
    unsigned char header[64];
    if (call->name == CALL_SENDTO) {
        *message = (struct message){.name = call->arguments[4], .name_size = (int32_t)call->arguments[5]};
        return true;
    }
    if (remote_read(call, call->arguments[1] + (uint64_t)i * layout->stride, header, layout->header) != 0)
        return false;
    *message = message_decode(layout, header);
    return true;
}

/* Asks the rules for the message's destination. True when they may change it: *out is for rule_destination().
 */
static bool copy_destination(const struct attempt *attempt, const struct message *message,
                             struct outbound *out)
{
    int32_t len = message->name_size;
    if (message->name == 0 || len <= 0)
        return false;
    if (attempt->call->name != CALL_SENDTO && len > (int32_t)sizeof out->to)
        len = sizeof out->to; /* the kernel reads so much of it; sendto() fails */
    return trap_copy(attempt->view, attempt->call, message->name, (uint64_t)len, out, RULE_DATAGRAM);
}

/* A destination that is not translated, in a vector with one that is. False when the kernel refuses it. */
static bool copy_as_is(const struct call *call, const struct message *message, struct outbound *out)
{
    out->len = message->name == 0 ? 0 : (socklen_t)message->name_size;
    if (message->name != 0 && message->name_size < 0)
        return false;
    if (out->len > sizeof out->to)
        out->len = sizeof out->to;
    return out->len == 0 || remote_read(call, message->name, &out->to, out->len) == 0;
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* Copies the data to to[MOST_DATA]. Returns its size, or -1 when the kernel would refuse it; of a stream's no
 * more than fits. */
static ssize_t copy_data(const struct attempt *attempt, const struct message *message, void *to)
{
    static unsigned char bytes[MESSAGE_PARTS * sizeof(struct iovec)];
    static struct iovec parts[MESSAGE_PARTS];
    const struct call *call = attempt->call;
    const struct layout *layout = layout_of(call);
    unsigned count = message->part_count <= MESSAGE_PARTS ? (unsigned)message->part_count : 0;
    int64_t size = -1;
    if (call->name == CALL_SENDTO) {
        count = 1;
        parts[0] = (struct iovec){(void *)(uintptr_t)call->arguments[1], (size_t)call->arguments[2]};
        if (message_may_lie_at(call->arguments[1], call->arguments[2]))
            size = (int64_t)call->arguments[2];
    } else if (count == message->part_count &&
               remote_read(call, message->parts, bytes, (size_t)count * 2 * layout->word) == 0) {
        size = message_parts(layout, bytes, count, parts);
    }
    if (size > MOST_DATA)
        size = is_stream(attempt->socket) ? MOST_DATA : -1;
    return size <= 0 || remote_gather(call, parts, count, to, (size_t)size) == size ? (ssize_t)size : -1;
}

/* Copies the control messages to `control`. Returns their size, or -1 when the kernel would refuse them. */
static int64_t copy_control(const struct call *call, const struct message *message)
{
    if (message->control_size == 0)
        return 0;
    if (message->control_size > sizeof control_in ||
        remote_read(call, message->control, control_in, (size_t)message->control_size) != 0)
        return -1;
    return message_control_in(layout_of(call), control_in, (size_t)message->control_size, control);
}

static int flags_of(const struct call *call)
{
    return (int)call->arguments[call->name == CALL_SENDMSG ? 2 : 3];
}

static bool is_vector(const struct attempt *attempt)
{
    return attempt->call->name == CALL_SENDMMSG;
}

/* What the kernel's answer means for the program. */
static struct answer answer_sent(const struct attempt *attempt, long result)
{
    bool waits = waiting_may(attempt->socket, flags_of(attempt->call));
    if (result == -EAGAIN && waits)
        return ANSWERED_LATER;
    /* A call on a socket that is connecting does not look at its address: it waits, and then sends. */
    if (result == -EINPROGRESS && waits)
        return CONTINUE_CALL;
    if (result == -EPIPE)
        return CONTINUE_CALL; /* the signal is the program's */
    return answer_value(result);
}

/* Copies the rest of the message to data and `control`, and sends it without waiting. */
static struct answer send_copy(const struct attempt *attempt, const struct message *message,
                               struct outbound *out, void *data)
{
    const struct call *call = attempt->call;
    ssize_t size = copy_data(attempt, message, data);
    int64_t control_size = size < 0 ? -1 : copy_control(call, message);
    if (control_size < 0 || !remote_waits(call))
        return CONTINUE_CALL;
    int error = refusal(call, control, (size_t)control_size);
    if (error != 0)
        return answer_value(-error);
    struct iovec part = {data, (size_t)size};
    struct msghdr header = {.msg_name = out->len > 0 ? &out->to : NULL,
                            .msg_namelen = out->len,
                            .msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control_size > 0 ? control : NULL};
    header.msg_controllen = (__typeof__(header.msg_controllen))control_size;
    int flags = (flags_of(call) & ~MESSAGE_COMPAT) | MSG_DONTWAIT | MSG_NOSIGNAL;
    return answer_sent(attempt, kernel_call(SYS_sendmsg, attempt->socket, &header, flags));
}

/* With MSG_ZEROCOPY the kernel goes on reading the memory that it was given. That is mapped for this message
 * alone, and given back at once: its pages stay until the kernel has done with them. */
static struct answer send_lasting_copy(const struct attempt *attempt, const struct message *message,
                                       struct outbound *out)
{
    void *data = mmap(NULL, MOST_DATA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return answer_value(-ENOBUFS);
    struct answer answer = send_copy(attempt, message, out, data);
    munmap(data, MOST_DATA);
    return answer;
}

/* Sends message i. CONTINUE_CALL: the kernel has to, because there is nothing to rewrite or because it will
 * refuse it. */
static struct answer send_message(const struct attempt *attempt, unsigned i)
{
    struct message message;
    struct outbound out = {.placeholder = 0};
    if (!read_message(attempt->call, i, &message))
        return CONTINUE_CALL;
    if (copy_destination(attempt, &message, &out))
        rule_destination(attempt->view, attempt->socket, &out);
    if (out.placeholder != 0 && out.to.any.sa_family == AF_UNSPEC && is_stream(attempt->socket))
        return CONTINUE_CALL; /* as in connect(2) */
    if (out.error != 0)
        return answer_value(-out.error);
    if (out.placeholder == 0 && (!is_vector(attempt) || !copy_as_is(attempt->call, &message, &out)))
        return CONTINUE_CALL;
    return (flags_of(attempt->call) & MSG_ZEROCOPY) != 0 ? send_lasting_copy(attempt, &message, &out)
                                                         : send_copy(attempt, &message, &out, buffer);
}

static struct answer send_one(struct attempt *attempt)
{
    return send_message(attempt, 0);
}

static unsigned count_of(const struct call *call)
{
    uint32_t count = (uint32_t)call->arguments[2];
    return count < MOST_MESSAGES ? count : MOST_MESSAGES;
}

/* An error counts only when nothing was sent before it. */
static struct answer send_vector(struct attempt *attempt)
{
    const struct call *call = attempt->call;
    const struct layout *layout = layout_of(call);
    for (; attempt->done < count_of(call); attempt->done++) {
        struct answer answer = send_message(attempt, attempt->done);
        uint64_t at = call->arguments[1] + (uint64_t)attempt->done * layout->stride + layout->length_at;
        uint32_t sent = (uint32_t)answer.value;
        if (answer.how == ANSWER_VALUE && answer.value >= 0 &&
            remote_write(call, at, &sent, sizeof sent) != 0)
            answer = answer_value(-EFAULT);
        bool is_over = answer.how != ANSWER_VALUE || answer.value < 0;
        if (is_over && (attempt->done == 0 || answer.how == ANSWER_LATER))
            return answer;
        if (is_over)
            break;
    }
    return answer_value(attempt->done);
}

/* Whether one of the messages must not be sent as it is. The kernel sends those before one that cannot be
 * read. */
static bool any_ours(const struct attempt *attempt)
{
    struct message message;
    for (unsigned i = 0; i < count_of(attempt->call) && read_message(attempt->call, i, &message); i++) {
        struct outbound out = {.placeholder = 0};
        if (copy_destination(attempt, &message, &out))
            rule_destination(attempt->view, attempt->socket, &out);
        if (out.placeholder != 0)
            return true;
    }
    return false;
}

/* Whether the socket sends datagrams to ports; a stream does so only with MSG_FASTOPEN. */
static bool is_for_us(const struct attempt *attempt)
{
    unsigned kind = kind_of(attempt->view, attempt->socket);
    if (is_stream(attempt->socket))
        return kind == PORTMAP_TCP && (flags_of(attempt->call) & MSG_FASTOPEN) != 0;
    return kind == PORTMAP_UDP;
}

/* Whether to take the socket and ask the kernel what it is: most messages have no destination, or one without
 * a port of ours. */
static bool may_concern(const struct attempt *attempt)
{
    struct message message;
    struct outbound out;
    unsigned count = is_vector(attempt) ? count_of(attempt->call) : 1;
    for (unsigned i = 0; i < count && read_message(attempt->call, i, &message); i++)
        if (copy_destination(attempt, &message, &out))
            return true;
    return false;
}

static struct answer send_by(struct attempt attempt)
{
    const struct call *call = attempt.call;
    bool is_refused = call->name != CALL_SENDTO && message_refuses(call, flags_of(call));
    if (is_refused || !may_concern(&attempt))
        return CONTINUE_CALL;
    attempt.events = POLLOUT;
    attempt.socket = trap_socket(call, (int)call->arguments[0]);
    if (attempt.socket < 0)
        return CONTINUE_CALL;
    if (is_for_us(&attempt) && (!is_vector(&attempt) || any_ours(&attempt)))
        return waiting_make(&attempt);
    close(attempt.socket);
    return CONTINUE_CALL;
}

struct answer trap_sendto(const struct view *view, const struct call *call)
{
    return send_by((struct attempt){.view = view, .call = call, .make = send_one});
}

struct answer trap_sendmsg(const struct view *view, const struct call *call)
{
    return send_by((struct attempt){.view = view, .call = call, .make = send_one});
}

struct answer trap_sendmmsg(const struct view *view, const struct call *call)
{
    return send_by((struct attempt){.view = view, .call = call, .make = send_vector});
}
