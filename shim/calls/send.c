/* sendto(2), sendmsg(2) and sendmmsg(2): a copy of the destination is translated, as in connect(2). */
#include "calls/calls.h"
#include "process/attach.h"
#include "process/memory.h"

#include <errno.h>

INLINED ssize_t send_to(const struct next *way, int fd, const void *bytes, size_t size, int flags,
                        const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    if (address == NULL)
        return BEHIND(way, sendto)(fd, bytes, size, flags, address, len);
    if (call_copy(&out, address, len, RULE_DATAGRAM))
        rule_destination(&own_view, fd, &out);
    if (out.error != 0)
        return call_refused(&out);
    address = call_address(&out, address);
    return BEHIND(way, sendto)(fd, bytes, size, flags, address, out.len);
}

ssize_t call_sendto(const struct next *way, int fd, const void *bytes, size_t size, int flags,
                    const struct sockaddr *address, socklen_t len)
{
    return send_to(way, fd, bytes, size, flags, address, len);
}

/* Translates a message's destination. True when the message must not be sent as it is: send *copy instead or,
 * if out->error is set, fail. */
static bool translate_message(struct msghdr *copy, struct outbound *out, int fd, const struct msghdr *message)
{
    socklen_t len = message->msg_namelen;
    out->error = 0;
    if (message->msg_name == NULL)
        return false;
    if (len > sizeof(struct sockaddr_storage) && len <= INT32_MAX)
        len = sizeof(struct sockaddr_storage); /* the kernel reads so much of it; sendto() would fail */
    if (call_copy(out, message->msg_name, len, RULE_DATAGRAM))
        rule_destination(&own_view, fd, out);
    if (out->placeholder == 0)
        return false;
    *copy = *message;
    supervised_mark(out);
    copy->msg_name = &out->to;
    copy->msg_namelen = out->len;
    return true;
}

ssize_t call_sendmsg(const struct next *way, int fd, const struct msghdr *message, int flags)
{
    struct msghdr copy;
    struct outbound out;
    bool known = own_view.active && memory_is_readable(message, sizeof *message);
    if (!known || !translate_message(&copy, &out, fd, message))
        return BEHIND(way, sendmsg)(fd, message, flags);
    return out.error != 0 ? call_refused(&out) : BEHIND(way, sendmsg)(fd, &copy, flags);
}

/* Whether one of the messages must not be sent as it is. */
static bool any_ours(int fd, const struct mmsghdr *messages, unsigned count)
{
    struct msghdr copy;
    struct outbound out;
    for (unsigned i = 0; i < count; i++)
        if (translate_message(&copy, &out, fd, &messages[i].msg_hdr))
            return true;
    return false;
}

/* Sends copies of up to CALL_BATCH messages, only those before one that the rules refuse. Returns what
 * sendmmsg() does. */
static int send_batch(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    struct mmsghdr copies[CALL_BATCH];
    struct outbound out[CALL_BATCH];
    for (unsigned i = 0; i < count; i++) {
        copies[i] = messages[i];
        translate_message(&copies[i].msg_hdr, &out[i], fd, &messages[i].msg_hdr);
        if (out[i].error != 0)
            count = i;
    }
    if (count == 0)
        return call_refused(&out[0]);
    int sent = BEHIND(way, sendmmsg)(fd, copies, count, flags);
    for (int i = 0; i < sent; i++) {
        if (!memory_is_writable(&messages[i].msg_len, sizeof messages[i].msg_len)) {
            if (i > 0)
                return i;
            errno = EFAULT;
            return -1;
        }
        messages[i].msg_len = copies[i].msg_len;
    }
    return sent;
}

int call_sendmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned readable = own_view.active ? call_readable_messages(messages, count) : 0, sent = 0;
    int saved = errno;
    if (!any_ours(fd, messages, readable))
        return BEHIND(way, sendmmsg)(fd, messages, count, flags);
    while (sent < readable) {
        unsigned batch = readable - sent < CALL_BATCH ? readable - sent : CALL_BATCH;
        /* Send one at a time: the kernel stops after the message whose msg_len it cannot write. */
        if (memory_writable_count(messages + sent, sizeof *messages, batch) < batch)
            batch = 1;
        int result = send_batch(way, fd, messages + sent, batch, flags);
        /* As in the kernel, an error counts only when nothing was sent before it. */
        if (result < 0 && sent == 0)
            return result;
        if (result < 0) {
            errno = saved;
            break;
        }
        sent += (unsigned)result;
        if ((unsigned)result < batch)
            break;
    }
    return (int)sent;
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
               socklen_t len)
{
    return send_to(next(), fd, bytes, size, flags, address, len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return call_sendmsg(next(), fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return call_sendmmsg(next(), fd, messages, count, flags);
}
