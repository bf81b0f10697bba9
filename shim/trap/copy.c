/* Addresses and sockets of a waiting call, as the rules need them: trap_copy(), trap_socket(). */
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/remote.h"

#include <string.h>
#include <unistd.h>

/*
 * What a program with our library names has been translated already. A real port of the run is then no
 * placeholder, although with `all` every number is one.
 */
static bool is_translated(const struct view *view, unsigned port)
{
    uint32_t entry = view_to_program(view, port);
    return entry != 0 && (entry & MAP_ALIAS) == 0;
}

static bool is_for_us(const struct view *view, const struct call *call, unsigned port)
{
    const struct image *image = image_of(call);
    return image == NULL || (!image->is_exempt && !(image->has_library && is_translated(view, port)));
}

bool trap_copy(const struct view *view, const struct call *call, uint64_t address, uint64_t len,
               struct outbound *out, enum rule_use use)
{
    *out = (struct outbound){.len = (socklen_t)len};
    if (!view->active || (int)out->len < ADDRESS_HEAD || out->len > sizeof out->to ||
        remote_read(call, address, &out->to, out->len) != 0)
        return false;
    if (!rule_concerns(view, out, use) || !is_for_us(view, call, address_port(&out->to)))
        return false;
    if (view->discover)
        image_tell_program(call); /* the rules will note the destination */
    return true;
}

int trap_socket(const struct call *call, int fd)
{
    int own = remote_descriptor(call, fd);
    if (own >= 0 && (!remote_is_here(own) || !remote_waits(call))) {
        close(own);
        own = -1;
    }
    return own < 0 ? -1 : own;
}
