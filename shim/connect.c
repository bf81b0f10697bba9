/* connect(2): a placeholder on this host means this run's own server. */
#include "attach.h"
#include "calls.h"
#include "translate.h"

#include <errno.h>

int call_connect(const struct next *way, int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    translate_destination(&out, fd, address, len, DESTINATION_CONNECT);
    if (out.refused) {
        errno =
            ECONNREFUSED; /* nobody in this run can be there, and who is at the number itself is a stranger */
        return -1;
    }
    return way->connect(fd, out.address, len);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return call_connect(next(), fd, address, len);
}
