/* socket(2): notes when the process makes a socket of a kind that is not translated (rules/kind.h). */
#include "calls/calls.h"
#include "process/attach.h"
#include "rules/kind.h"

int call_socket(const struct next *way, int family, int type, int protocol)
{
    int fd = BEHIND(way, socket)(family, type, protocol);
    if (fd >= 0)
        kind_note_made(&own_view, family, type, protocol);
    return fd;
}

int socket(int family, int type, int protocol)
{
    return call_socket(next(), family, type, protocol);
}
