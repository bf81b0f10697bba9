/* socket(2): notes when the process makes a socket of a kind that is not translated (rules/kind.h). Before
 * the first one, the library finds out what it may need for it (process/settle.h). */
#include "calls/calls.h"
#include "process/attach.h"
#include "rules/kind.h"

int call_socket(const struct next *way, int family, int type, int protocol)
{
    if (kind_has_ports(family))
        view_settle(&own_view);
    int fd = BEHIND(way, socket)(family, type, protocol);
    if (fd >= 0)
        kind_note_made(&own_view, family, type, protocol);
    return fd;
}

int socket(int family, int type, int protocol)
{
    return call_socket(next(), family, type, protocol);
}
