/* Addresses and sockets of a waiting call, as the rules need them: trap_copy(), trap_socket(). */
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/question.h"
#include "trap/remote.h"

#include <string.h>
#include <unistd.h>

static uint64_t cookie;

void trap_init(uint64_t of_filter)
{
    cookie = of_filter;
}

static bool is_real(const struct view *view, unsigned port)
{
    uint32_t entry = view_to_program(view, port);
    return entry != 0 && (entry & MAP_ALIAS) == 0;
}

/*
 * Our library in the program has translated the address already, or the program is exempt. The library in a
 * program that an emulator (qemu-user) runs gets no answer, so that it does not mark; but it has said HELLO.
 * A real port is then no placeholder, although with `all` every number is one.
 */
static bool is_for_us(const struct view *view, const struct call *call, const struct outbound *out)
{
    if (trap_is_marked(&out->to.storage, out->len, cookie))
        return false;
    const struct image *image = image_of(call);
    if (image == NULL)
        return true;
    return !image->is_exempt && !(image->has_library && is_real(view, address_port(&out->to)));
}

bool trap_copy(const struct view *view, const struct call *call, uint64_t address, uint64_t len,
               struct outbound *out, enum rule_use use)
{
    *out = (struct outbound){.len = (socklen_t)len};
    if (!view->active || (int)out->len < ADDRESS_HEAD || out->len > sizeof out->to ||
        remote_read(call, address, &out->to, out->len) != 0)
        return false;
    if (!rule_concerns(view, out, use) || !is_for_us(view, call, out))
        return false;
    if (view->discover)
        image_tell_program(call); /* the rules will note the destination */
    return true;
}

bool trap_has_marked_room(const struct call *call, uint64_t address)
{
    uint64_t found;
    return remote_read(call, address, &found, sizeof found) == 0 && found == cookie;
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
