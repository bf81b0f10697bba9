/* getsockname(2), getpeername(2), accept(2) and accept4(2): real ports of this run are called placeholders
 * again. */
#include "attach.h"
#include "calls.h"
#include "translate.h"

int call_getsockname(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = translate_room(address, len);
    int result = way->getsockname(fd, address, len);
    if (result == 0 && room > 0)
        translate_buffer(fd, address, room, len, OWNER_SELF);
    return result;
}

int call_getpeername(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = translate_room(address, len);
    int result = way->getpeername(fd, address, len);
    if (result == 0 && room > 0)
        translate_buffer(fd, address, room, len, OWNER_PEER);
    return result;
}

int call_accept(const struct next *way, int fd, struct sockaddr *address, socklen_t *len)
{
    socklen_t room = translate_room(address, len);
    int connection = way->accept(fd, address, len);
    if (connection >= 0 && room > 0)
        translate_buffer(connection, address, room, len, OWNER_PEER);
    return connection;
}

int call_accept4(const struct next *way, int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    socklen_t room = translate_room(address, len);
    int connection = way->accept4(fd, address, len, flags);
    if (connection >= 0 && room > 0)
        translate_buffer(connection, address, room, len, OWNER_PEER);
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
