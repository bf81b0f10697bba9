/* bind(2) and listen(2): a placeholder becomes its real port, and whoever waits for the server is woken. */
#include "base/kernel.h"
#include "calls/calls.h"
#include "process/attach.h"
#include "process/copies.h"
#include "process/filter.h"
#include "rules/choose.h"
#include "rules/seen.h"

#include <errno.h>

/* Binds the real port that the rules have found, or one that the kernel chooses. 0 or an errno. */
static int try_real(const struct next *way, int fd, struct outbound *out)
{
    int error = EADDRINUSE;
    if (!out->out_of_reach)
        do
            error = BEHIND(way, bind)(fd, &out->to.any, out->len) == 0 ? 0 : errno;
        while (error == EADDRINUSE && rule_retry(&own_view, out));
    return out->out_of_reach ? -choose_and_bind(&own_view, out, fd) : error;
}

static int bind_real(const struct next *way, int fd, struct outbound *out)
{
    supervised_mark(out); /* another library's function may be behind ours */
    int saved = errno, error = try_real(way, fd, out);
    rule_bound(&own_view, out, error);
    errno = error == 0 ? saved : error; /* the errno of a failed first attempt must not show */
    return error == 0 ? 0 : -1;
}

int call_bind(const struct next *way, int fd, const struct sockaddr *address, socklen_t len)
{
    struct outbound out;
    if (copies_are_told(address, len))
        return 0;
    if (call_copy(&out, address, len, RULE_BIND))
        rule_local(&own_view, fd, &out);
    if (out.error != 0)
        return call_refused(&out);
    if (out.placeholder != 0)
        return bind_real(way, fd, &out);
    int result = BEHIND(way, bind)(fd, address, len);
    seen_bind(&own_view, fd, &out, result == 0 ? 0 : errno);
    return result;
}

/* Of sockets with SO_REUSEADDR, several may be bound to a port: all but the first are refused here. */
static void note_refused_listen(int fd)
{
    struct outbound out = {.len = sizeof out.to};
    if (!filter_is_installed() && kernel_getsockname(fd, &out.to.any, &out.len) == 0)
        seen_bind(&own_view, fd, &out, EADDRINUSE);
}

int call_listen(const struct next *way, int fd, int backlog)
{
    int result = BEHIND(way, listen)(fd, backlog);
    if (result == 0)
        view_wake(&own_view);
    else if (errno == EADDRINUSE)
        note_refused_listen(fd);
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
