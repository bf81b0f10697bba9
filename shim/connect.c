/* connect(2): a placeholder on this host means this run's own server. */
#include "attach.h"
#include "calls.h"
#include "translate.h"

int call_connect(const struct next *way, int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    translate_destination(&out, fd, address, len, DESTINATION_CONNECT);
    return way->connect(fd, out.address, len);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return call_connect(next(), fd, address, len);
}
