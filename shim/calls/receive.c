/*
 * recvfrom(2), recvmsg(2) and recvmmsg(2): the source address is translated in the program's buffer if that
 * is large enough for any address. A smaller one is replaced by a buffer of ours for the call: once the
 * kernel has cut the source address, nobody can ask for the rest. Below a trap any buffer is replaced, as
 * ours tells the supervisor that we translate.
 */
#include "calls/calls.h"
#include "process/attach.h"
#include "process/memory.h"
#include "rules/kind.h"

#include <errno.h>
#include <string.h>

/* Gives the program a source address as recvfrom(2) does: as much as fits, and the whole length in *len. */
static void give_name(void *name, socklen_t room, socklen_t *len, const union address *source,
                      socklen_t whole)
{
    memcpy(name, source, room < whole ? room : whole);
    *len = whole;
}

/* How recvfrom() is called; __recvfrom_chk() has one more argument. */
struct receiving {
    const struct next *way;
    size_t checked; /* the buffer's size as the compiler knows it, 0 for plain recvfrom() */
};

INLINED ssize_t receive(const struct receiving *how, int fd, void *bytes, size_t size, int flags,
                        struct sockaddr *address, socklen_t *len)
{
    if (how->checked != 0)
        return BEHIND(how->way, __recvfrom_chk)(fd, bytes, size, how->checked, flags, address, len);
    return BEHIND(how->way, recvfrom)(fd, bytes, size, flags, address, len);
}

/* Whether a buffer of the program's for a source address must be replaced by one of ours. */
static bool is_short(socklen_t room)
{
    return room < ADDRESS_IPV6 || supervised();
}

/* How many bytes of it the kernel may write. */
static size_t in_use(socklen_t room)
{
    return room < sizeof(union address) ? room : sizeof(union address);
}

INLINED ssize_t receive_from(const struct receiving *how, int fd, void *bytes, size_t size, int flags,
                             struct sockaddr *address, socklen_t *len)
{
    union address source;
    socklen_t room = call_room(address, len), whole = sizeof source;
    if (room == 0 || room > INT32_MAX)
        return receive(how, fd, bytes, size, flags, address, len);
    if (!is_short(room) || !memory_is_writable(address, in_use(room)) ||
        !memory_is_writable(len, sizeof *len)) {
        ssize_t received = receive(how, fd, bytes, size, flags, address, len);
        if (received >= 0 && *len <= room)
            rule_back(&own_view, fd, (union address *)address, *len, OWNER_PEER);
        return received;
    }
    supervised_mark_room(&source);
    ssize_t received = receive(how, fd, bytes, size, flags, &source.any, &whole);
    if (received >= 0) {
        rule_back(&own_view, fd, &source, whole, OWNER_PEER);
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

/* Translates control messages that say which of our own addresses a datagram was sent to. */
static void translate_control(int fd, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        bool ipv4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR;
        bool ipv6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR;
        socklen_t len = ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        union address address = {0};
        if ((!ipv4 && !ipv6) || c->cmsg_len < CMSG_LEN(offsetof(struct sockaddr_in, sin_addr)))
            continue;
        size_t have = c->cmsg_len - CMSG_LEN(0); /* less than len if the program gave less room */
        if (have > len)
            have = len;
        memcpy(&address, CMSG_DATA(c), have);
        rule_back(&own_view, fd, &address, len, OWNER_SELF);
        memcpy(CMSG_DATA(c), &address, have);
    }
}

/* A buffer that takes the place of a message's name during the call, when that may be too short. */
struct loan {
    bool lent;
    union address source;
};

static bool has_short_name(const struct msghdr *message)
{
    return message->msg_name != NULL && message->msg_namelen <= INT32_MAX && is_short(message->msg_namelen);
}

static void lend_name(struct loan *loan, struct msghdr *message)
{
    socklen_t room = message->msg_namelen;
    loan->lent =
        has_short_name(message) && (room == 0 || memory_is_writable(message->msg_name, in_use(room)));
    if (loan->lent) {
        message->msg_name = &loan->source;
        message->msg_namelen = sizeof loan->source;
        supervised_mark_room(&loan->source);
    }
}

/* Translates a received message in place; room is the size of the buffer for its name. */
static void translate_received(int fd, struct msghdr *message, socklen_t room)
{
    kind_received(&own_view, message);
    if (message->msg_name != NULL && message->msg_namelen <= room)
        rule_back(&own_view, fd, message->msg_name, message->msg_namelen, OWNER_PEER);
    if (message->msg_controllen > 0)
        translate_control(fd, message);
}

/* Translates a message received through a copy of its header, and gives it to the program. */
static void give_message(int fd, const struct loan *loan, struct msghdr *copy, struct msghdr *message)
{
    void *name = message->msg_name;
    socklen_t room = message->msg_namelen, whole = copy->msg_namelen;
    translate_received(fd, copy, loan->lent ? sizeof loan->source : room);
    *message = *copy;
    message->msg_name = name;
    if (loan->lent)
        give_name(name, room, &message->msg_namelen, &loan->source, whole);
}

/* Once the call has succeeded, the header can be read: the kernel has written to it. */
static ssize_t receive_untranslated(const struct next *way, int fd, struct msghdr *message, int flags)
{
    ssize_t received = BEHIND(way, recvmsg)(fd, message, flags);
    if (received >= 0 && own_view.active)
        kind_received(&own_view, message);
    return received;
}

ssize_t call_recvmsg(const struct next *way, int fd, struct msghdr *message, int flags)
{
    if (!call_shows() || !memory_is_readable(message, sizeof *message))
        return receive_untranslated(way, fd, message, flags);
    struct msghdr copy = *message;
    struct loan loan;
    lend_name(&loan, &copy);
    if (loan.lent && memory_is_writable(message, sizeof *message)) {
        ssize_t received = BEHIND(way, recvmsg)(fd, &copy, flags);
        if (received >= 0)
            give_message(fd, &loan, &copy, message);
        return received;
    }
    socklen_t room = message->msg_namelen;
    ssize_t received = BEHIND(way, recvmsg)(fd, message, flags);
    if (received >= 0)
        translate_received(fd, message, room);
    return received;
}

/* Receives up to CALL_BATCH messages through copies of their headers. Returns what recvmmsg() does. */
static int receive_batch(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags,
                         struct timespec *timeout)
{
    struct mmsghdr copies[CALL_BATCH];
    struct loan loans[CALL_BATCH];
    memcpy(copies, messages, count * sizeof *messages);
    for (unsigned i = 0; i < count; i++)
        lend_name(&loans[i], &copies[i].msg_hdr);
    int received = BEHIND(way, recvmmsg)(fd, copies, count, flags, timeout);
    for (int i = 0; i < received; i++) {
        give_message(fd, &loans[i], &copies[i].msg_hdr, &messages[i].msg_hdr);
        messages[i].msg_len = copies[i].msg_len;
    }
    return received;
}

/* recvmmsg() for messages of which one has a short name: in batches, which wait and end as one call would. */
static int receive_batches(const struct next *way, int fd, struct mmsghdr *messages, unsigned count,
                           int flags, struct timespec *timeout)
{
    unsigned received = 0;
    int saved = errno;
    while (received < count) {
        unsigned batch = count - received < CALL_BATCH ? count - received : CALL_BATCH;
        int result = receive_batch(way, fd, messages + received, batch, flags, timeout);
        if (result < 0 && received == 0)
            return result;
        if (result < 0) {
            errno = saved;
            break;
        }
        received += (unsigned)result;
        if ((unsigned)result < batch || (timeout != NULL && timeout->tv_sec == 0 && timeout->tv_nsec == 0))
            break;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
    }
    return (int)received;
}

static bool any_short(const struct mmsghdr *messages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (has_short_name(&messages[i].msg_hdr))
            return true;
    return false;
}

int call_recvmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout)
{
    unsigned good = call_shows() ? call_readable_messages(messages, count) : 0;
    if (any_short(messages, good)) {
        good = memory_writable_count(messages, sizeof *messages, good);
        if (good > 0)
            return receive_batches(way, fd, messages, good, flags, timeout);
    }
    int received = BEHIND(way, recvmmsg)(fd, messages, count, flags, timeout);
    for (int i = 0; i < received && own_view.active; i++)
        if ((unsigned)i < good)
            translate_received(fd, &messages[i].msg_hdr, ADDRESS_IPV6);
        else
            kind_received(&own_view, &messages[i].msg_hdr);
    return received;
}

ssize_t recvfrom(int fd, void *restrict bytes, size_t size, int flags, struct sockaddr *restrict address,
                 socklen_t *restrict len)
{
    const struct receiving how = {.way = next()};
    return receive_from(&how, fd, bytes, size, flags, address, len);
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
