/* connect(2): a placeholder on this host means this run's own server. */
#include "calls/calls.h"
#include "process/attach.h"

int call_connect(const struct next *way, int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    if (call_copy(&out, address, len, RULE_CONNECT))
        rule_destination(&own_view, fd, &out);
    if (out.error != 0)
        return call_refused(&out);
    address = call_address(&out, address);
    return BEHIND(way, connect)(fd, address, out.len);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return call_connect(next(), fd, address, len);
}
