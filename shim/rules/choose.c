#include "rules/choose.h"

#include "base/kernel.h"
#include "host/probe.h"

#include <errno.h>
#include <sys/syscall.h>

/* How many of the kernel's choices are tried: most of them have no meaning in the run yet, so one will do. */
enum { TRIES = 32 };

static int bind_to(struct outbound *out, int fd, unsigned port)
{
    address_set_port(&out->to, port);
    return kernel_bind(fd, &out->to.any, out->len);
}

/* Binds to the placeholder's real port, if it has one. */
static int bind_to_entry(struct outbound *out, int fd)
{
    return out->entry != 0 ? bind_to(out, fd, map_entry_port(out->entry)) : -EADDRINUSE;
}

/*
 * Enters a port, which a socket holds now, as the placeholder's real port. False when the port means
 * something in the run already. True with out->fresh unset when another thread or process has assigned the
 * placeholder meanwhile: out->entry is then that assignment.
 */
static bool enter(const struct view *view, struct outbound *out, unsigned port)
{
    uint32_t before = out->entry;
    if (view_to_program(view, port) != 0)
        return false;
    out->fresh = map_choose_late(out->map, out->placeholder, port, &out->entry);
    return out->fresh || out->entry != before;
}

/*
 * Lets the kernel choose for sockets of our own, which hold the port for TCP and UDP on every address until
 * it is entered. False when no socket can be opened, or when none of the ports will do.
 */
static bool choose(const struct view *view, struct outbound *out)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct probe_held held;
        int port = probe_choose(&held);
        if (port < 0)
            return false;
        bool entered = enter(view, out, (unsigned)port);
        probe_let_go(&held);
        if (entered)
            return true;
    }
    return false;
}

static unsigned own_port(int fd)
{
    union address name = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof name;
    return kernel_getsockname(fd, &name.any, &len) == 0 ? address_port(&name) : 0;
}

/*
 * Makes a socket give up the port that the kernel chose for it: connect(2) with AF_UNSPEC does. A TCP socket
 * must listen first, as tcp_disconnect() releases nothing in a socket that is neither listening nor
 * connected.
 */
static bool unbind(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    kernel_call(SYS_listen, fd, 0);
    return kernel_connect(fd, &none, sizeof none) == 0;
}

/*
 * Lets the kernel choose for the program's own socket, when no other can be opened. The port is then known to
 * be free for this socket's protocol and address only.
 */
static int choose_with_itself(const struct view *view, struct outbound *out, int fd)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        int error = bind_to(out, fd, 0);
        if (error < 0)
            return error;
        unsigned port = own_port(fd);
        bool entered = port != 0 && enter(view, out, port);
        if (entered && out->fresh)
            return 0;
        if (!unbind(fd))
            break;
        if (entered) {
            out->entry = map_share_late(out->map, out->placeholder);
            return bind_to_entry(out, fd);
        }
    }
    return -EADDRINUSE;
}

static int choose_any_way(const struct view *view, struct outbound *out, int fd)
{
    int error = -EADDRINUSE;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!choose(view, out))
            return choose_with_itself(view, out, fd);
        if (!out->fresh)
            out->entry = map_share_late(out->map, out->placeholder);
        error = bind_to_entry(out, fd);
        /* Our sockets are closed by now, so a stranger may have taken the port: choose another one. */
        if (error != -EADDRINUSE || !out->fresh)
            break;
    }
    return error;
}

int choose_and_bind(const struct view *view, struct outbound *out, int fd)
{
    int error = choose_any_way(view, out, fd);
    if (error == 0)
        view_log(view, MAP_EVENT_LATE, out->placeholder, map_entry_port(out->entry), 0);
    return error;
}
