/* connect(2) of a trapped program: a placeholder on this host means this run's own server. */
#include "trap/calls.h"
#include "trap/connecting.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool may_wait(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

struct answer trap_connect(const struct view *view, const struct call *call)
{
    struct outbound out;
    if (!trap_copy(view, call, call->arguments[1], call->arguments[2], &out, RULE_CONNECT))
        return CONTINUE_CALL;
    int fd = trap_socket(call, (int)call->arguments[0]);
    if (fd < 0)
        return CONTINUE_CALL;
    rule_destination(view, fd, &out);
    struct answer answer = CONTINUE_CALL;
    if (out.error != 0)
        answer = answer_value(-out.error);
    else if (out.placeholder != 0 && may_wait(fd))
        return connecting_start(call, fd, &out.to, out.len);
    else if (out.placeholder != 0)
        answer = answer_value(connect(fd, &out.to.any, out.len) == 0 ? 0 : -errno);
    close(fd);
    return answer;
}
