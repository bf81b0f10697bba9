/* getsockname(2), getpeername(2), accept(2), accept4(2): a real port of this run becomes its placeholder. */
#include "base/kernel.h"
#include "calls/calls.h"
#include "process/attach.h"

#include <string.h>

/* Translates the address that the kernel wrote to the program's buffer of `room` bytes. If the buffer is
 * shorter than the address, the kernel is asked, on fd, for the whole address. */
static void translate(int fd, struct sockaddr *address, socklen_t room, const socklen_t *len,
                      enum owner owner)
{
    union address whole;
    socklen_t full = *len, have = room < full ? room : full;
    if (have < sizeof(sa_family_t) || full > sizeof whole || !address_is_ip((union address *)address))
        return;
    if (have == full) {
        rule_back(&own_view, fd, (union address *)address, full, owner);
        return;
    }
    full = sizeof whole;
    if (kernel_call(owner == OWNER_SELF ? SYS_getsockname : SYS_getpeername, fd, &whole, &full) != 0)
        return;
    unsigned before = address_port(&whole);
    rule_back(&own_view, fd, &whole, full, owner);
    if (address_port(&whole) != before)
        memcpy(address, &whole, have);
}

int call_getsockname(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = call_room(address, len);
    int result = BEHIND(way, getsockname)(fd, address, len);
    if (result == 0 && room > 0)
        translate(fd, address, room, len, OWNER_SELF);
    return result;
}

int call_getpeername(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = call_room(address, len);
    int result = BEHIND(way, getpeername)(fd, address, len);
    if (result == 0 && room > 0)
        translate(fd, address, room, len, OWNER_PEER);
    return result;
}

int call_accept(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = call_room(address, len);
    int connection = BEHIND(way, accept)(fd, address, len);
    if (connection >= 0 && room > 0)
        translate(connection, address, room, len, OWNER_PEER);
    return connection;
}

int call_accept4(const struct next *way, int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    socklen_t room = call_room(address, len);
    int connection = BEHIND(way, accept4)(fd, address, len, flags);
    if (connection >= 0 && room > 0)
        translate(connection, address, room, len, OWNER_PEER);
    return connection;
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    return call_getsockname(next(), fd, address, len);
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    return call_getpeername(next(), fd, address, len);
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    return call_accept(next(), fd, address, len);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict len, int flags)
{
    return call_accept4(next(), fd, address, len, flags);
}
