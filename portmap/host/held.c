#include "host/held.h"

#include "base/kernel.h"
#include "host/probe.h"
#include "host/sockdiag.h"

/* A look at all sockets costs about as much as asking about so many ports, even on an idle host: the kernel
 * goes through a large table of connections. */
enum { FEW_PORTS = 48 };

bool held_port(unsigned port)
{
    return probe_port(port) != PROBE_FREE && sockdiag_is_held(port) != 0;
}

/* A socket that no process has, has no inode. */
static void add(const struct sockdiag_socket *socket, void *context)
{
    struct held *held = context;
    if (socket->inode != 0)
        portbits_add(&held->ports, socket->port);
}

static void look(struct held *held)
{
    int fd = sockdiag_open();
    held->state = fd >= 0 && sockdiag_every(fd, add, held) == 0 ? HELD_LOOKED : HELD_UNKNOWN;
    if (fd >= 0)
        kernel_close(fd);
}

static bool any_of_few(const struct portbits *ports)
{
    for (unsigned word = 0; word < PORTBITS_WORDS; word++)
        for (uint64_t left = ports->word[word]; left != 0; left &= left - 1)
            if (held_port(word * 64 + (unsigned)__builtin_ctzll(left)))
                return true;
    return false;
}

bool held_any(const struct portbits *ports, unsigned count, struct held *held)
{
    held->asked = count < FEW_PORTS - held->asked ? held->asked + count : FEW_PORTS;
    if (held->state == HELD_NOT_LOOKED && held->asked == FEW_PORTS)
        look(held);
    if (held->state != HELD_LOOKED)
        return count > 0 && any_of_few(ports);
    for (unsigned word = 0; word < PORTBITS_WORDS; word++)
        if ((ports->word[word] & held->ports.word[word]) != 0)
            return true;
    return false;
}
