/*
 * sendto(2), sendmsg(2), sendmmsg(2), recvfrom(2), recvmsg(2) and recvmmsg(2).
 *
 * On the way out the destination is translated as connect()'s, in a copy of the header. On the way in the
 * source is, in the caller's own buffer where that holds any address; a shorter one is replaced by ours for
 * the call, as a name that the kernel has cut cannot be asked for again.
 */
#include "attach.h"
#include "calls.h"
#include "memory.h"
#include "table.h"
#include "translate.h"

#include <netinet/in.h>
#include <string.h>

enum {
    WHOLE = sizeof(struct sockaddr_in6), /* room for any address that is translated */
    BATCH = 16,                          /* messages that are copied at a time, on the stack */
    MOST_MESSAGES = 1024,                /* UIO_MAXIOV: the kernel looks at no more */
};

ssize_t call_sendto(const struct next *way, int fd, const void *bytes, size_t size, int flags,
                    const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    if (address == NULL)
        return way->sendto(fd, bytes, size, flags, address, len);
    translate_destination(&out, fd, address, len, DESTINATION_DATAGRAM);
    return way->sendto(fd, bytes, size, flags, out.address, len);
}

/* Translates a message's name; true when it changed, and *copy is then to be sent in its place. */
static bool translate_message(struct msghdr *copy, struct outbound *out, int fd, const struct msghdr *message)
{
    if (message->msg_name == NULL)
        return false;
    translate_destination(out, fd, message->msg_name, message->msg_namelen, DESTINATION_DATAGRAM);
    if (out->placeholder == 0)
        return false;
    *copy = *message;
    copy->msg_name = &out->copy;
    return true;
}

ssize_t call_sendmsg(const struct next *way, int fd, const struct msghdr *message, int flags)
{
    struct msghdr copy;
    struct outbound out;
    if (table.active && memory_is_readable(message, sizeof *message) &&
        translate_message(&copy, &out, fd, message))
        message = &copy;
    return way->sendmsg(fd, message, flags);
}

static bool any_translated(int fd, const struct mmsghdr *messages, unsigned count)
{
    struct msghdr copy;
    struct outbound out;
    for (unsigned i = 0; i < count; i++)
        if (translate_message(&copy, &out, fd, &messages[i].msg_hdr))
            return true;
    return false;
}

/* Sends up to BATCH messages from copies of their headers; returns what sendmmsg() does. */
static int send_batch(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    struct mmsghdr copies[BATCH];
    struct outbound out[BATCH];
    for (unsigned i = 0; i < count; i++) {
        copies[i] = messages[i];
        translate_message(&copies[i].msg_hdr, &out[i], fd, &messages[i].msg_hdr);
    }
    int sent = way->sendmmsg(fd, copies, count, flags);
    for (int i = 0; i < sent; i++)
        messages[i].msg_len = copies[i].msg_len;
    return sent;
}

int call_sendmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned looked_at = count < MOST_MESSAGES ? count : MOST_MESSAGES;
    if (!table.active || looked_at == 0 || !memory_is_readable(messages, looked_at * sizeof *messages) ||
        !any_translated(fd, messages, looked_at) ||
        !memory_is_writable(messages, looked_at * sizeof *messages))
        return way->sendmmsg(fd, messages, count, flags);
    unsigned sent = 0;
    while (sent < looked_at) {
        unsigned batch = looked_at - sent < BATCH ? looked_at - sent : BATCH;
        int result = send_batch(way, fd, messages + sent, batch, flags);
        /* As the kernel does it: an error counts only when nothing was sent before. */
        if (result < 0)
            return sent > 0 ? (int)sent : result;
        sent += (unsigned)result;
        if ((unsigned)result < batch)
            break;
    }
    return (int)sent;
}

/* A source's name, in the way of recvfrom(): as much as there is room for, and its whole length. */
static void give_name(void *name, socklen_t room, socklen_t *len, const union address *source,
                      socklen_t whole)
{
    memcpy(name, source, room < whole ? room : whole);
    *len = whole;
}

/* How recvfrom() is called; __recvfrom_chk() has one more argument. */
struct receiving {
    const struct next *way;
    size_t checked; /* the size that the compiler knows the buffer to have, 0 for plain recvfrom() */
};

static ssize_t receive(const struct receiving *how, int fd, void *bytes, size_t size, int flags,
                       struct sockaddr *address, socklen_t *len)
{
    if (how->checked != 0)
        return how->way->recvfrom_chk(fd, bytes, size, how->checked, flags, address, len);
    return how->way->recvfrom(fd, bytes, size, flags, address, len);
}

static ssize_t receive_from(const struct receiving *how, int fd, void *bytes, size_t size, int flags,
                            struct sockaddr *address, socklen_t *len)
{
    union address source;
    socklen_t room = translate_room(address, len), whole = sizeof source;
    if (room == 0 || room > INT32_MAX || (room < WHOLE && !memory_is_writable(address, room)))
        return receive(how, fd, bytes, size, flags, address, len);
    if (room >= WHOLE) {
        ssize_t received = receive(how, fd, bytes, size, flags, address, len);
        if (received >= 0 && *len <= room)
            translate_back(fd, (union address *)address, *len, OWNER_PEER);
        return received;
    }
    ssize_t received = receive(how, fd, bytes, size, flags, &source.any, &whole);
    if (received >= 0) {
        translate_back(fd, &source, whole, OWNER_PEER);
        give_name(address, room, len, &source, whole);
    }
    return received;
}

ssize_t call_recvfrom(const struct next *way, int fd, void *bytes, size_t size, int flags,
                      struct sockaddr *address, socklen_t *len)
{
    const struct receiving how = {.way = way};
    return receive_from(&how, fd, bytes, size, flags, address, len);
}

/* Control messages that carry a port: where a datagram was sent to, which is our own end. */
static void translate_control(int fd, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        bool ipv4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR;
        bool ipv6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR;
        socklen_t len = ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        union address address;
        if ((!ipv4 && !ipv6) || c->cmsg_len < CMSG_LEN(len))
            continue;
        memcpy(&address, CMSG_DATA(c), len);
        translate_back(fd, &address, len, OWNER_SELF);
        memcpy(CMSG_DATA(c), &address, len);
    }
}

/* A header whose name is shorter than an address may be; ours stands in for the name during the call. */
struct short_name {
    void *name;
    socklen_t room;
    union address source;
};

static bool is_short(const struct msghdr *message)
{
    return message->msg_name != NULL && message->msg_namelen < WHOLE;
}

static void lend_name(struct short_name *lent, struct msghdr *message)
{
    lent->name = message->msg_name;
    lent->room = message->msg_namelen;
    message->msg_name = &lent->source;
    message->msg_namelen = sizeof lent->source;
}

static void return_name(const struct short_name *lent, struct msghdr *message)
{
    socklen_t whole = message->msg_namelen;
    message->msg_name = lent->name;
    give_name(lent->name, lent->room, &message->msg_namelen, &lent->source, whole);
}

/* What came in, translated where it lies. */
static void translate_received(int fd, struct msghdr *message)
{
    if (message->msg_name != NULL)
        translate_back(fd, message->msg_name, message->msg_namelen, OWNER_PEER);
    if (message->msg_controllen > 0)
        translate_control(fd, message);
}

static ssize_t receive_short(const struct next *way, int fd, struct msghdr *message, int flags)
{
    struct msghdr copy = *message;
    struct short_name lent;
    lend_name(&lent, &copy);
    ssize_t received = way->recvmsg(fd, &copy, flags);
    if (received < 0)
        return received;
    translate_received(fd, &copy);
    return_name(&lent, &copy);
    *message = copy;
    return received;
}

static bool translates_names(void)
{
    return table.active && !table.reveal;
}

ssize_t call_recvmsg(const struct next *way, int fd, struct msghdr *message, int flags)
{
    if (!translates_names() || !memory_is_readable(message, sizeof *message))
        return way->recvmsg(fd, message, flags);
    if (is_short(message) && message->msg_namelen > 0 && memory_is_writable(message, sizeof *message) &&
        memory_is_writable(message->msg_name, message->msg_namelen))
        return receive_short(way, fd, message, flags);
    bool whole = !is_short(message);
    ssize_t received = way->recvmsg(fd, message, flags);
    if (received >= 0 && whole)
        translate_received(fd, message);
    return received;
}

/* recvmmsg() with at least one short name: fewer messages than asked for at a time are within its contract.
 */
static int receive_batch(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags,
                         struct timespec *timeout)
{
    struct mmsghdr copies[BATCH];
    struct short_name lent[BATCH];
    unsigned batch = count < BATCH ? count : BATCH;
    memcpy(copies, messages, batch * sizeof *messages);
    for (unsigned i = 0; i < batch; i++)
        if (is_short(&messages[i].msg_hdr))
            lend_name(&lent[i], &copies[i].msg_hdr);
    int received = way->recvmmsg(fd, copies, batch, flags, timeout);
    for (int i = 0; i < received; i++) {
        translate_received(fd, &copies[i].msg_hdr);
        if (is_short(&messages[i].msg_hdr))
            return_name(&lent[i], &copies[i].msg_hdr);
        messages[i] = copies[i];
    }
    return received;
}

static bool any_short(const struct mmsghdr *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_short(&messages[i].msg_hdr))
            return true;
    return false;
}

/* Whether all that receive_batch() writes can be written. */
static bool can_lend(struct mmsghdr *messages, unsigned count)
{
    for (unsigned i = 0; i < count && i < BATCH; i++) {
        struct msghdr *message = &messages[i].msg_hdr;
        if (is_short(message) && message->msg_namelen > 0 &&
            !memory_is_writable(message->msg_name, message->msg_namelen))
            return false;
    }
    return memory_is_writable(messages, count * sizeof *messages);
}

int call_recvmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout)
{
    unsigned looked_at = count < MOST_MESSAGES ? count : MOST_MESSAGES;
    bool ours =
        translates_names() && looked_at > 0 && memory_is_readable(messages, looked_at * sizeof *messages);
    bool some_short = ours && any_short(messages, looked_at);
    if (some_short && can_lend(messages, looked_at))
        return receive_batch(way, fd, messages, looked_at, flags, timeout);
    int received = way->recvmmsg(fd, messages, count, flags, timeout);
    if (ours && !some_short)
        for (int i = 0; i < received; i++)
            translate_received(fd, &messages[i].msg_hdr);
    return received;
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
               socklen_t len)
{
    return call_sendto(next(), fd, bytes, size, flags, address, len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return call_sendmsg(next(), fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return call_sendmmsg(next(), fd, messages, count, flags);
}

ssize_t recvfrom(int fd, void *restrict bytes, size_t size, int flags, struct sockaddr *restrict address,
                 socklen_t *restrict len)
{
    return call_recvfrom(next(), fd, bytes, size, flags, address, len);
}

ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t known, int flags, struct sockaddr *address,
                       socklen_t *len)
{
    const struct receiving how = {.way = next(), .checked = known};
    return receive_from(&how, fd, bytes, size, flags, address, len);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return call_recvmsg(next(), fd, message, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    return call_recvmmsg(next(), fd, messages, count, flags, timeout);
}
