/* connect(2): a placeholder on this host means this run's own server. */
#include "attach.h"
#include "translate.h"

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    const struct next *libc = next();
    translate_destination(&out, fd, address, len, DESTINATION_CONNECT);
    return libc->connect(fd, out.address, len);
}
