#include "calls/calls.h"

#include "process/attach.h"
#include "process/memory.h"

#include <errno.h>
#include <string.h>

bool call_copy(struct outbound *out, const struct sockaddr *address, socklen_t len, enum rule_use use)
{
    out->to.any.sa_family = AF_UNSPEC;
    out->len = len;
    out->placeholder = 0;
    out->error = 0;
    if (!own_view.active || len < ADDRESS_HEAD || !memory_is_readable(address, ADDRESS_HEAD))
        return false;
    memcpy(&out->to, address, ADDRESS_HEAD);
    if (!rule_concerns(&own_view, out, use) || !memory_is_readable(address, len))
        return false;
    memcpy((char *)&out->to + ADDRESS_HEAD, (const char *)address + ADDRESS_HEAD, len - ADDRESS_HEAD);
    return true;
}

int call_refused(const struct outbound *out)
{
    errno = out->error;
    return -1;
}

bool call_shows(void)
{
    return own_view.active && !own_view.reveal;
}

socklen_t call_room(const struct sockaddr *address, const socklen_t *len)
{
    return call_shows() && address != NULL && memory_is_readable(len, sizeof *len) ? *len : 0;
}

unsigned call_readable_messages(const struct mmsghdr *messages, unsigned count)
{
    enum { MOST = 1024 /* UIO_MAXIOV: the kernel looks at no more */ };
    return memory_readable_count(messages, sizeof *messages, count < MOST ? count : MOST);
}
