/* getsockname(2), getpeername(2), accept(2) and accept4(2): real ports of this run are called placeholders
 * again. */
#include "attach.h"
#include "translate.h"

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    const struct next *libc = next();
    socklen_t room = translate_room(address, len);
    int result = libc->getsockname(fd, address, len);
    if (result == 0 && room > 0)
        translate_buffer(fd, address, room, len, OWNER_SELF);
    return result;
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    const struct next *libc = next();
    socklen_t room = translate_room(address, len);
    int result = libc->getpeername(fd, address, len);
    if (result == 0 && room > 0)
        translate_buffer(fd, address, room, len, OWNER_PEER);
    return result;
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
    const struct next *libc = next();
    socklen_t room = translate_room(address, len);
    int connection = libc->accept(fd, address, len);
    if (connection >= 0 && room > 0)
        translate_buffer(connection, address, room, len, OWNER_PEER);
    return connection;
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict len, int flags)
{
    const struct next *libc = next();
    socklen_t room = translate_room(address, len);
    int connection = libc->accept4(fd, address, len, flags);
    if (connection >= 0 && room > 0)
        translate_buffer(connection, address, room, len, OWNER_PEER);
    return connection;
}
