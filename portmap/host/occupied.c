#include "host/occupied.h"

#include "base/kernel.h"
#include "host/probe.h"
#include "host/sockdiag.h"

#include <stddef.h>

/* What the kernel's list has of the sockets that we hold, beside all ports in it. */
struct look {
    struct occupied *occupied;
    unsigned held;
};

static void note(const struct sockdiag_socket *socket, void *context)
{
    const struct look *look = context;
    struct occupied *occupied = look->occupied;
    portbits_add(&occupied->ports, socket->port);
    if (socket->port == look->held && socket->protocol == IPPROTO_TCP)
        occupied->shows_tcp = true;
    else if (socket->port == look->held)
        occupied->shows_udp = true;
}

/* Looks while the port is bound by us. When the list fails in the middle, what it has shown is good. */
static void look_at_all(struct occupied *occupied, unsigned held)
{
    struct look look = {occupied, held};
    int fd = sockdiag_open();
    if (fd < 0)
        return;
    if (sockdiag_every(fd, note, &look) != 0)
        occupied->shows_tcp = occupied->shows_udp = false;
    portbits_remove(&occupied->ports, held);
    kernel_close(fd);
}

static int probe_and_look(struct occupied *occupied, unsigned port)
{
    struct probe_held held = {.exclusive = true};
    int answer = probe_hold(port, NULL, &held);
    if (answer != PROBE_FREE)
        return answer;
    look_at_all(occupied, port);
    probe_let_go(&held);
    occupied->looked = true;
    occupied->lowest = port;
    return answer;
}

int occupied_probe(struct occupied *occupied, unsigned port)
{
    int answer;
    if (!occupied->looked && !occupied->forbidden) {
        answer = probe_and_look(occupied, port);
    } else if (occupied->forbidden || port < occupied->lowest ||
               ++occupied->believed % OCCUPIED_SAMPLE == 0) {
        answer = probe_port(port);
    } else if (portbits_has(&occupied->ports, port)) {
        return PROBE_TAKEN;
    } else {
        const struct probe_scope rest = {.no_tcp = occupied->shows_tcp, .no_udp = occupied->shows_udp};
        return rest.no_tcp && rest.no_udp ? PROBE_FREE : probe_port_in(port, &rest);
    }
    occupied->forbidden = occupied->forbidden || answer == PROBE_FORBIDDEN;
    return answer;
}
