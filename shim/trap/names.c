/* getsockname(2) and getpeername(2) of a trapped program. */
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Writes an address as move_addr_to_user() of net/socket.c does: as much as there is room for, and the whole
 * length. */
static int give(const struct call *call, const union address *address, socklen_t len)
{
    uint64_t to = call->arguments[1], to_len = call->arguments[2];
    int room;
    if (remote_read(call, to_len, &room, sizeof room) != 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    size_t part = (size_t)room < len ? (size_t)room : len, size = part + sizeof len;
    char bytes[sizeof *address + sizeof len];
    const struct iovec places[] = {{(void *)(uintptr_t)to, part}, {(void *)(uintptr_t)to_len, sizeof len}};
    memcpy(bytes, address, part);
    memcpy(bytes + part, &len, sizeof len);
    unsigned skipped = part == 0; /* the kernel does not look where it writes nothing */
    ssize_t written = remote_scatter(call, places + skipped, 2 - skipped, bytes, size);
    return written == (ssize_t)size ? 0 : -EFAULT;
}

static struct answer name(const struct view *view, const struct call *call, enum owner owner)
{
    union address address = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof address;
    int fd = view->active && !view->reveal ? trap_socket(call, (int)call->arguments[0]) : -1;
    if (fd < 0)
        return CONTINUE_CALL;
    int result =
        owner == OWNER_SELF ? getsockname(fd, &address.any, &len) : getpeername(fd, &address.any, &len);
    bool is_translated = false;
    if (result == 0 && len >= ADDRESS_HEAD && address_is_ip(&address)) {
        unsigned before = address_port(&address);
        rule_back(view, fd, &address, len, owner);
        is_translated = address_port(&address) != before;
    }
    close(fd);
    const struct image *image = is_translated ? image_of(call) : NULL;
    if (image != NULL && image->is_exempt)
        return CONTINUE_CALL;
    return is_translated ? answer_value(give(call, &address, len)) : CONTINUE_CALL;
}

struct answer trap_getsockname(const struct view *view, const struct call *call)
{
    return name(view, call, OWNER_SELF);
}

struct answer trap_getpeername(const struct view *view, const struct call *call)
{
    return name(view, call, OWNER_PEER);
}
