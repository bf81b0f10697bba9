#include "choose.h"

#include "map.h"
#include "probe.h"
#include "table.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>

/* Most numbers of the kernel's range mean nothing in a run. */
enum { TRIES = 32 };

static int bind_to(const struct next *way, struct outbound *out, int fd, socklen_t len, unsigned port)
{
    out->copy.ipv4.sin_port = htons((uint16_t)port);
    out->address = &out->copy.any;
    return way->bind(fd, out->address, len);
}

/* Whether a port that is held now can be the placeholder's; also when another has given it one meanwhile. */
static bool enter(struct outbound *out, unsigned port)
{
    uint32_t before = out->entry;
    if (table_to_program(port) != 0)
        return false;
    out->fresh = map_choose_late(out->map, out->placeholder, port, &out->entry);
    return out->fresh || out->entry != before;
}

/* Chooses with sockets of our own, which hold the port for both protocols on every address; false when they
 * cannot be had. */
static bool choose(struct outbound *out)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct probe_held held;
        int port = probe_choose(&held);
        if (port < 0)
            return false;
        bool entered = enter(out, (unsigned)port);
        probe_let_go(&held);
        if (entered)
            return true;
    }
    return false;
}

static unsigned own_port(const struct next *way, int fd)
{
    union address name = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof name;
    return way->getsockname(fd, &name.any, &len) == 0 ? ntohs(name.ipv4.sin_port) : 0;
}

/*
 * Takes a port that the kernel chose from a socket again: connect(2) with AF_UNSPEC does, for TCP only from
 * the state of a listener (tcp_disconnect()). Past libc, where it is a cancellation point.
 */
static bool unbind(const struct next *way, int fd)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    way->listen(fd, 0);
#ifdef SYS_connect
    return way->syscall(SYS_connect, fd, &none, sizeof none) == 0;
#else
    return way->connect(fd, &none, sizeof none) == 0;
#endif
}

/* With no descriptor left there is but the program's own socket to choose with: for its protocol and address.
 */
static int choose_with_itself(const struct next *way, struct outbound *out, int fd, socklen_t len)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (bind_to(way, out, fd, len, 0) < 0)
            return -1;
        unsigned port = own_port(way, fd);
        bool entered = port != 0 && enter(out, port);
        if (entered && out->fresh)
            return 0;
        if (!unbind(way, fd))
            break;
        if (entered) {
            out->entry = map_share_late(out->map, out->placeholder);
            return bind_to(way, out, fd, len, map_entry_port(out->entry));
        }
    }
    errno = EADDRINUSE;
    return -1;
}

static int choose_any_way(const struct next *way, struct outbound *out, int fd, socklen_t len)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!choose(out))
            return choose_with_itself(way, out, fd, len);
        if (!out->fresh)
            out->entry = map_share_late(out->map, out->placeholder);
        int result = bind_to(way, out, fd, len, map_entry_port(out->entry));
        /* A stranger may have been quicker, now that our sockets are closed. */
        if (result == 0 || errno != EADDRINUSE || !out->fresh)
            return result;
    }
    return -1;
}

int choose_and_bind(const struct next *way, struct outbound *out, int fd, socklen_t len)
{
    int cancel;
    out->placeholder = out->placeholder != 0 ? out->placeholder : ntohs(out->copy.ipv4.sin_port);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    int result = choose_any_way(way, out, fd, len);
    pthread_setcancelstate(cancel, NULL);
    if (result == 0)
        table_log(MAP_EVENT_LATE, out->placeholder, map_entry_port(out->entry), 0);
    return result;
}
