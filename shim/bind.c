/* bind(2) and listen(2): where a placeholder becomes a real port, and where a server begins to be there. */
#include "attach.h"
#include "calls.h"
#include "choose.h"
#include "copies.h"
#include "notice.h"
#include "refill.h"
#include "table.h"
#include "translate.h"

#include <errno.h>

/* A stock that a stranger has whole, and some that it took the moment they were leased. */
enum { MOST_SWAPS = 2 * MAP_STOCK };

/*
 * A stranger may have taken a stock port since it was leased. Nobody has been told this placeholder's number
 * yet, so the next port will do.
 */
static int bind_another(const struct next *way, struct outbound *out, int fd, socklen_t len)
{
    int result = -1;
    for (unsigned tries = 0; tries < MOST_SWAPS && result < 0 && errno == EADDRINUSE; tries++) {
        enum refill answer = refill_assign(out->map, out->placeholder, &out->entry);
        if (answer == REFILL_OUT_OF_REACH)
            return choose_and_bind(way, out, fd, len);
        if (answer != REFILL_ASSIGNED)
            break;
        table_log(MAP_EVENT_SWAP, out->placeholder, map_entry_port(out->entry), EADDRINUSE);
        out->copy.ipv4.sin_port = htons((uint16_t)map_entry_port(out->entry));
        result = way->bind(fd, out->address, len);
    }
    return result;
}

/* Of one whose placeholder has a real port, or is to get one. */
static int bind_real(const struct next *way, struct outbound *out, int fd, socklen_t len)
{
    if (out->refused && out->out_of_reach)
        return choose_and_bind(way, out, fd, len);
    int result = way->bind(fd, out->address, len);
    return result < 0 && out->fresh && errno == EADDRINUSE ? bind_another(way, out, fd, len) : result;
}

int call_bind(const struct next *way, int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    int saved = errno;
    if (copies_are_told(address, len))
        return 0;
    translate_local(&out, fd, address, len);
    if (out.refused && !out.out_of_reach) {
        errno = EADDRINUSE;
        return -1;
    }
    int result = bind_real(way, &out, fd, len);
    if (out.placeholder == 0) {
        notice_bind(fd, address, len, result == 0 ? 0 : errno);
        return result;
    }
    if (result == 0) {
        errno = saved; /* of an attempt that failed nothing is to be seen */
        table_note_bound(out.placeholder);
        table_wake(); /* a UDP socket is there now; a TCP one will be at listen() */
    } else {
        table_log(MAP_EVENT_REFUSED, out.placeholder, map_entry_port(out.entry), errno);
    }
    return result;
}

int call_listen(const struct next *way, int fd, int backlog)
{
    int result = way->listen(fd, backlog);
    if (result == 0)
        table_wake();
    return result;
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return call_bind(next(), fd, address, len);
}

int listen(int fd, int backlog)
{
    return call_listen(next(), fd, backlog);
}
