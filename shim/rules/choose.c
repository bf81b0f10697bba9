#include "rules/choose.h"

#include "base/kernel.h"
#include "host/probe.h"

#include <errno.h>
#include <sys/syscall.h>

/* Most numbers of the kernel's range mean nothing in a run. */
enum { TRIES = 32 };

static int bind_to(struct outbound *out, int fd, unsigned port)
{
    address_set_port(&out->to, port);
    return kernel_bind(fd, &out->to.any, out->len);
}

/* Whether a port that is held now can be the placeholder's; also when another has given it one meanwhile. */
static bool enter(const struct view *view, struct outbound *out, unsigned port)
{
    uint32_t before = out->entry;
    if (view_to_program(view, port) != 0)
        return false;
    out->fresh = map_choose_late(out->map, out->placeholder, port, &out->entry);
    return out->fresh || out->entry != before;
}

/* Chooses with sockets of our own, which hold the port for both protocols on every address; false when they
 * cannot be had. */
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
 * Takes a port that the kernel chose from a socket again: connect(2) with AF_UNSPEC does, for TCP only from
 * the state of a listener (tcp_disconnect()).
 */
static bool unbind(int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    kernel_call(SYS_listen, fd, 0);
    return kernel_connect(fd, &none, sizeof none) == 0;
}

/* With no descriptor left there is but the program's own socket to choose with: for its protocol and address.
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
            return bind_to(out, fd, map_entry_port(out->entry));
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
        error = bind_to(out, fd, map_entry_port(out->entry));
        /* A stranger may have been quicker, now that our sockets are closed. */
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
