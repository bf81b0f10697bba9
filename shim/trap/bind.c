/* bind(2) and listen(2) of a trapped program, as calls/bind.c has them for the library's own process. */
#include "host/sockdiag.h"
#include "rules/choose.h"
#include "rules/seen.h"
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/remote.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Binds the real port that the rules have found, or one that the kernel chooses. 0 or an errno. */
static int try_real(const struct view *view, int fd, struct outbound *out)
{
    int error = EADDRINUSE;
    if (!out->out_of_reach)
        do
            error = bind(fd, &out->to.any, out->len) == 0 ? 0 : errno;
        while (error == EADDRINUSE && rule_retry(view, out));
    return out->out_of_reach ? -choose_and_bind(view, out, fd) : error;
}

static struct answer bind_real(const struct view *view, int fd, struct outbound *out)
{
    int error = out->error;
    if (error == 0) {
        error = try_real(view, fd, out);
        rule_bound(view, out, error);
    }
    return answer_value(-error);
}

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static bool is_bound(int fd)
{
    union address own = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof own;
    return getsockname(fd, &own.any, &len) < 0 || address_port(&own) != 0;
}

/* Gives a new socket what decides about ports that are in use, as another one has it: its user, too. */
static bool make_alike(int fd, int alike)
{
    static const struct {
        int level, name;
    } options[] = {{SOL_SOCKET, SO_REUSEADDR},
                   {SOL_SOCKET, SO_REUSEPORT},
                   {SOL_SOCKET, SO_BINDTOIFINDEX},
                   {IPPROTO_IPV6, IPV6_V6ONLY}};
    struct stat wanted, file;
    for (unsigned i = 0; i < sizeof options / sizeof *options; i++) {
        int value = option_of(fd, options[i].level, options[i].name);
        if (value != option_of(alike, options[i].level, options[i].name) &&
            setsockopt(alike, options[i].level, options[i].name, &value, sizeof value) < 0)
            return false;
    }
    return fstat(fd, &wanted) == 0 && fstat(alike, &file) == 0 &&
           (file.st_uid == wanted.st_uid || fchown(alike, wanted.st_uid, (gid_t)-1) == 0);
}

/* Whether a socket like this one would get EADDRINUSE; false where that is not known. */
static bool would_be_refused(int fd, const struct outbound *out)
{
    int alike =
        socket(option_of(fd, SOL_SOCKET, SO_DOMAIN), option_of(fd, SOL_SOCKET, SO_TYPE) | SOCK_CLOEXEC,
               option_of(fd, SOL_SOCKET, SO_PROTOCOL));
    if (alike < 0)
        return false;
    bool refused = make_alike(fd, alike) && bind(alike, &out->to.any, out->len) < 0 && errno == EADDRINUSE;
    close(alike);
    return refused;
}

/*
 * What bind(2) will say, as far as that matters: 0, EADDRINUSE or EINVAL. If a socket serves on that port, it
 * may do so with another protocol, on another address or device, or share them: that is tried. A socket that
 * has a port cannot get another.
 */
static int foreseen_error(int fd, const struct outbound *out)
{
    struct sockdiag_port found = {0};
    if (is_bound(fd))
        return EINVAL;
    int netlink = sockdiag_open();
    if (netlink < 0)
        return 0;
    sockdiag_ask(netlink, address_port(&out->to), SOCKDIAG_SERVERS, &found);
    close(netlink);
    bool is_served = found.tcp_listening > 0 || found.udp > 0;
    return is_served && would_be_refused(fd, out) ? EADDRINUSE : 0;
}

/* Notes a port that nobody listed, before the kernel binds it. */
static void note_unlisted(const struct view *view, const struct call *call, const struct outbound *out)
{
    struct image *image;
    unsigned port = address_port(&out->to);
    if (view->map[0] == NULL || !address_is_ip(&out->to) || port == 0 || out->len < ADDRESS_IPV4 ||
        (image = image_of(call)) == NULL || image->is_exempt || image->has_library || image->unlisted == port)
        return;
    int fd = trap_socket(call, (int)call->arguments[0]);
    remote_trouble(); /* this call passes anyway */
    if (fd < 0)
        return;
    image->unlisted = port;
    image_tell_program(call);
    seen_bind(view, fd, out, foreseen_error(fd, out));
    close(fd);
}

struct answer trap_bind(const struct view *view, const struct call *call)
{
    struct outbound out;
    if (!trap_copy(view, call, call->arguments[1], call->arguments[2], &out, RULE_BIND)) {
        note_unlisted(view, call, &out);
        return CONTINUE_CALL;
    }
    int fd = trap_socket(call, (int)call->arguments[0]);
    if (fd < 0)
        return CONTINUE_CALL;
    rule_local(view, fd, &out);
    bool ours = out.placeholder != 0 || out.error != 0;
    if (ours)
        image_note_trapped(call);
    struct answer answer = ours ? bind_real(view, fd, &out) : CONTINUE_CALL;
    close(fd);
    return answer;
}

/* Whether a socket has a real port of the run. */
static bool is_on_real_port(const struct view *view, int fd)
{
    union address own = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof own;
    if (getsockname(fd, &own.any, &len) < 0 || !address_is_ip(&own) || !address_is_whole(&own, len))
        return false;
    uint32_t entry = view_to_program(view, address_port(&own));
    return entry != 0 && (entry & MAP_ALIAS) == 0;
}

/* Other sockets are left to the kernel: a unix socket, above all, remembers who has called listen(2). */
struct answer trap_listen(const struct view *view, const struct call *call)
{
    int fd = view->active ? trap_socket(call, (int)call->arguments[0]) : -1;
    struct answer answer = CONTINUE_CALL;
    if (fd >= 0 && is_on_real_port(view, fd)) {
        int result = listen(fd, (int)call->arguments[1]);
        answer = answer_value(result == 0 ? 0 : -errno);
        if (result == 0)
            view_wake(view);
    }
    if (fd >= 0)
        close(fd);
    return answer;
}
