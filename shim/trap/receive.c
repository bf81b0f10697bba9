/*
 * recvfrom(2), recvmsg(2) and recvmmsg(2) of trapped programs. Once the kernel has given a datagram to the
 * program, its source cannot be changed any more, and before that nobody knows which datagram it will be. So
 * all datagrams are received here, and then written to the program as the kernel would write them. Our
 * library in the program translates by itself what it receives.
 *
 * What cannot be received because of the program's arguments, the kernel would refuse: it is left to the
 * kernel, which finds the right error.
 */
#include "base/kernel.h"
#include "rules/kind.h"
#include "run/portset.h"
#include "trap/calls.h"
#include "trap/images.h"
#include "trap/message.h"
#include "trap/remote.h"
#include "trap/waiting.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MOST_DATA = 65536, /* more than a datagram has */
    FIRST_BATCH = 8,
    MOST_BATCH = 64,     /* messages received at once */
    MOST_IN_TURN = 1024, /* by one call: other calls wait meanwhile */
    FIELDS = 256,        /* enough for a source address and the fields of a header */
    BUFFER = 1 << 20,
    ALIGNMENT = 16,
};

/* A message on its way to the program. */
struct incoming {
    uint64_t at; /* its struct msghdr in the program */
    struct iovec *parts;
    unsigned char *control;
    struct iovec buffer; /* here: as large as the parts together; FIELDS bytes follow */
    struct message message;
    union address source;
    unsigned part_count;
    bool name_is_bad; /* recvfrom(2): the size of the program's buffer for the source cannot be read */
};

/* A batch: what the kernel is asked to fill in, and where that goes then. */
static struct mmsghdr headers[MOST_BATCH];
static struct incoming batch[MOST_BATCH];

/* Its memory. One message always fits. */
static _Alignas(ALIGNMENT) unsigned char memory[BUFFER];
static size_t memory_used;

static void *take(size_t size)
{
    size_t whole = (size + ALIGNMENT - 1) & ~((size_t)ALIGNMENT - 1);
    if (whole > sizeof memory - memory_used)
        return NULL;
    memory_used += whole;
    return memory + memory_used - whole;
}

static bool is_vector(const struct call *call)
{
    return call->name == CALL_RECVMMSG;
}

static int flags_of(const struct call *call)
{
    return (int)call->arguments[call->name == CALL_RECVMSG ? 2 : 3];
}

static int read_arguments(const struct call *call, struct incoming *in, int64_t *size)
{
    uint64_t to = call->arguments[1], room = call->arguments[2];
    in->message.name = call->arguments[4];
    in->part_count = 1;
    in->parts = take(sizeof *in->parts);
    *in->parts = (struct iovec){(void *)(uintptr_t)to, (size_t)room};
    *size = (int64_t)room;
    int error = remote_read(call, call->arguments[5], &in->message.name_size, sizeof in->message.name_size);
    in->name_is_bad = error != 0; /* the kernel only finds out when it has received */
    return error == -EPERM || !message_may_lie_at(to, room) ? EFAULT : 0;
}

static int read_message(const struct call *call, unsigned i, struct incoming *in, int64_t *size)
{
    static unsigned char bytes[MESSAGE_PARTS * sizeof(struct iovec)];
    const struct layout *layout = layout_of(call);
    unsigned char header[64];
    in->at = call->arguments[1] + (uint64_t)i * layout->stride;
    if (remote_read(call, in->at, header, layout->header) != 0)
        return EFAULT;
    in->message = message_decode(layout, header);
    if (in->message.name != 0 && in->message.name_size < 0)
        return EINVAL;
    if (in->message.part_count > MESSAGE_PARTS)
        return EMSGSIZE;
    in->part_count = (unsigned)in->message.part_count;
    if (remote_read(call, in->message.parts, bytes, (size_t)in->part_count * 2 * layout->word) != 0)
        return EFAULT;
    in->parts = take(in->part_count * sizeof *in->parts);
    if (in->parts == NULL)
        return ENOBUFS;
    *size = message_parts(layout, bytes, in->part_count, in->parts);
    return *size < 0 ? (int)-*size : 0;
}

/* Reads message i of the call and finds memory for it. Returns 0, the errno by which the kernel refuses it,
 * or ENOBUFS when the memory is used up. */
static int prepare(const struct call *call, unsigned i, struct incoming *in)
{
    int64_t size = 0;
    *in = (struct incoming){.at = 0};
    int error =
        call->name == CALL_RECVFROM ? read_arguments(call, in, &size) : read_message(call, i, in, &size);
    if (error != 0)
        return error;
    in->buffer.iov_len = size < MOST_DATA ? (size_t)size : MOST_DATA;
    in->buffer.iov_base = take(in->buffer.iov_len + FIELDS);
    bool wants_control =
        in->message.control != 0 && in->message.control_size >= layout_of(call)->control_head;
    in->control = wants_control ? take(MESSAGE_CONTROL) : NULL;
    return in->buffer.iov_base == NULL || (wants_control && in->control == NULL) ? ENOBUFS : 0;
}

static struct msghdr header_for(struct incoming *in)
{
    struct msghdr header = {.msg_name = in->message.name != 0 ? &in->source : NULL,
                            .msg_namelen = sizeof in->source,
                            .msg_iov = &in->buffer,
                            .msg_iovlen = 1,
                            .msg_control = in->control};
    if (in->control != NULL)
        header.msg_controllen = MESSAGE_CONTROL;
    return header;
}

/* A message that the kernel refuses with this errno, as it would the program's. After others it notes the
 * error on the socket. */
static struct msghdr refused_header(int error)
{
    static char name;
    if (error == EINVAL)
        return (struct msghdr){.msg_name = &name, .msg_namelen = (socklen_t)-1};
    struct msghdr header = {.msg_iov = (struct iovec *)sizeof(struct iovec), .msg_iovlen = 1};
    if (error == EMSGSIZE)
        header.msg_iovlen = MESSAGE_PARTS + 1;
    return header;
}

/* Prepares up to `most` messages from number `first` on. Returns how many; *is_refused: the last one will be.
 */
static unsigned prepare_batch(const struct call *call, unsigned first, unsigned most, bool *is_refused)
{
    unsigned count = 0;
    int error = 0;
    memory_used = 0;
    for (; count < most && error == 0; count++) {
        error = prepare(call, first + count, &batch[count]);
        headers[count].msg_hdr = error == 0 ? header_for(&batch[count]) : refused_header(error);
    }
    *is_refused = error != 0 && error != ENOBUFS;
    return error == ENOBUFS ? count - 1 : count;
}

/* Bytes that lie together here and go to several places of the program. */
struct writing {
    const struct call *call;
    unsigned char *from;
    size_t size;
    struct iovec places[MESSAGE_PARTS];
    unsigned count;
};

/* 0, or -EFAULT. */
static int flush(struct writing *w)
{
    size_t size = w->size;
    ssize_t written = size == 0 ? 0 : remote_scatter(w->call, w->places, w->count, w->from, size);
    w->from += size;
    w->size = 0;
    w->count = 0;
    return written == (ssize_t)size ? 0 : -EFAULT;
}

static int add(struct writing *w, uint64_t to, const void *bytes, size_t size)
{
    int error = w->count == MESSAGE_PARTS ? flush(w) : 0;
    memcpy(w->from + w->size, bytes, size);
    w->places[w->count++] = (struct iovec){(void *)(uintptr_t)to, size};
    w->size += size;
    return error;
}

static void add_data(struct writing *w, const struct incoming *in, size_t size)
{
    for (unsigned i = 0; i < in->part_count && w->size < size; i++) {
        size_t left = size - w->size, room = in->parts[i].iov_len;
        w->places[w->count] = (struct iovec){in->parts[i].iov_base, room < left ? room : left};
        w->size += w->places[w->count++].iov_len;
    }
}

/* As move_addr_to_user() in Linux 6.18: the whole size first, then as much of the address as there is room
 * for. */
static int add_name(struct writing *w, const struct incoming *in, socklen_t whole)
{
    const struct call *call = w->call;
    uint64_t size_at =
        call->name == CALL_RECVFROM ? call->arguments[5] : in->at + layout_of(call)->name_size_at;
    int32_t room = in->message.name_size;
    if (in->message.name == 0)
        return 0;
    if (in->name_is_bad)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    int error = add(w, size_at, &whole, sizeof whole);
    if (error == 0 && room > 0 && whole > 0)
        error = add(w, in->message.name, &in->source, (socklen_t)room < whole ? (socklen_t)room : whole);
    return error;
}

/* Translates a control message that says which of our own addresses a datagram was sent to. */
static void translate(const struct attempt *attempt, const struct control *control)
{
    bool ipv4 = control->level == IPPROTO_IP && control->type == IP_ORIGDSTADDR;
    bool ipv6 = control->level == IPPROTO_IPV6 && control->type == IPV6_ORIGDSTADDR;
    socklen_t len = ipv4 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    union address address;
    if ((!ipv4 && !ipv6) || control->size < len)
        return;
    memcpy(&address, control->data, len);
    rule_back(attempt->view, attempt->socket, &address, len, OWNER_SELF);
    memcpy((void *)(uintptr_t)control->data, &address, len);
}

/*
 * Writes the control messages as put_cmsg() does: one that does not fit is cut, and one that cannot be
 * written is left out without an error. Returns the size of what was written, and sets MSG_CTRUNC in *flags.
 */
static uint64_t give_control(const struct attempt *attempt, const struct incoming *in,
                             const struct msghdr *header, uint32_t *flags)
{
    static unsigned char bytes[MESSAGE_CONTROL];
    const struct layout *layout = layout_of(attempt->call);
    const unsigned char *from = in->control;
    size_t size = in->control == NULL ? 0 : (size_t)header->msg_controllen, space;
    uint64_t used = 0;
    for (struct control control; message_next_control(&from, &size, &control);) {
        uint64_t left = in->message.control_size - used;
        translate(attempt, &control);
        size_t whole = message_control_out(layout, &control, bytes, &space);
        if (whole > left)
            *flags |= MSG_CTRUNC;
        if (left < layout->control_head)
            continue;
        if (whole > left) {
            whole = (size_t)left;
            memcpy(bytes, &(uint64_t){whole}, layout->word);
        }
        if (remote_write(attempt->call, in->message.control + used, bytes, whole) == 0)
            used += space < left ? space : left;
    }
    return used;
}

/* The fields of the header, which the kernel sets last. */
static int add_fields(struct writing *w, const struct incoming *in, uint32_t flags, uint64_t control_size,
                      uint32_t received)
{
    const struct layout *layout = layout_of(w->call);
    if (w->call->name == CALL_RECVFROM)
        return 0;
    int error = add(w, in->at + layout->flags_at, &flags, sizeof flags);
    if (error == 0)
        error = add(w, in->at + layout->control_size_at, &control_size, layout->word);
    if (error == 0 && is_vector(w->call))
        error = add(w, in->at + layout->length_at, &received, sizeof received);
    return error;
}

/* Writes a message to the program. 0, or a negated errno: then the message is lost, as in the kernel. */
static int give(const struct attempt *attempt, struct incoming *in, const struct mmsghdr *received)
{
    static struct writing w;
    const struct msghdr *header = &received->msg_hdr;
    uint32_t flags = (uint32_t)header->msg_flags;
    uint64_t control_size = 0;
    w = (struct writing){.call = attempt->call, .from = in->buffer.iov_base};
    rule_back(attempt->view, attempt->socket, &in->source, in->message.name != 0 ? header->msg_namelen : 0,
              OWNER_PEER);
    add_data(&w, in, received->msg_len < in->buffer.iov_len ? received->msg_len : in->buffer.iov_len);
    if (in->control != NULL && header->msg_controllen > 0) {
        if (flush(&w) != 0)
            return -EFAULT;
        control_size = give_control(attempt, in, header, &flags);
    }
    int error = add_name(&w, in, header->msg_namelen);
    if (error == 0)
        error = add_fields(&w, in, flags, control_size, received->msg_len);
    return flush(&w) != 0 ? -EFAULT : error;
}

/* Tells the program how much is left of recvmmsg(2)'s time limit. 0, or -EFAULT; *is_over: nothing is. */
static int give_time(const struct attempt *attempt, bool *is_over)
{
    if (!is_vector(attempt->call) || attempt->call->arguments[4] == 0)
        return 0;
    int64_t left = attempt->end - waiting_clock();
    *is_over = left <= 0;
    return message_write_time(attempt->call, attempt->call->arguments[4], left > 0 ? left : 0);
}

static bool waits(const struct attempt *attempt)
{
    int flags = flags_of(attempt->call);
    bool has_enough = is_vector(attempt->call) && (flags & MSG_WAITFORONE) != 0 && attempt->done > 0;
    return (flags & MSG_ERRQUEUE) == 0 && !has_enough && waiting_may(attempt->socket, flags);
}

/* The answer to a call that ends with an error, which counts only when nothing was received before it. */
static struct answer end_with(const struct attempt *attempt, int64_t error)
{
    return answer_value(attempt->done > 0 ? (int64_t)attempt->done : error);
}

static unsigned wanted_of(const struct call *call)
{
    return is_vector(call) ? (uint32_t)call->arguments[2] : 1;
}

/* After the time limit recvmmsg(2) still receives one message. At first only few are prepared: programs make
 * room for many messages, and mostly one comes. */
static unsigned most_at_once(const struct attempt *attempt)
{
    const struct call *call = attempt->call;
    unsigned left = wanted_of(call) - attempt->done, most = attempt->done == 0 ? FIRST_BATCH : MOST_BATCH;
    bool is_late = is_vector(call) && call->arguments[4] != 0 && waiting_clock() >= attempt->end;
    return is_late ? 1 : left < most ? left : most;
}

static struct answer receive(struct attempt *attempt)
{
    const struct call *call = attempt->call;
    unsigned wanted = wanted_of(call), most = attempt->done + MOST_IN_TURN;
    int flags = (flags_of(call) & ~(MESSAGE_COMPAT | MSG_WAITFORONE)) | MSG_DONTWAIT;
    bool is_refused = false, is_over = false;
    while (attempt->done < wanted && attempt->done < most && !is_refused && !is_over) {
        unsigned count = prepare_batch(call, attempt->done, most_at_once(attempt), &is_refused);
        if ((is_refused && count == 1 && attempt->done == 0) || !remote_waits(call))
            return CONTINUE_CALL;
        long received = kernel_call(SYS_recvmmsg, attempt->socket, headers, count, flags, NULL);
        if (received == -EAGAIN && waits(attempt))
            return ANSWERED_LATER;
        if (received < 0)
            return end_with(attempt, received);
        for (unsigned i = 0; i < (unsigned)received; i++, attempt->done++) {
            int error = give(attempt, &batch[i], &headers[i]);
            if (error != 0)
                return end_with(attempt, error);
        }
        if (give_time(attempt, &is_over) != 0)
            return answer_value(-EFAULT);
        is_refused = is_refused && (unsigned)received == count - 1;
        if ((unsigned)received < count && !is_refused && !is_over && attempt->done < wanted)
            return waits(attempt) ? ANSWERED_LATER : answer_value(attempt->done);
    }
    return answer_value(is_vector(call) ? (int64_t)attempt->done : (int64_t)headers[0].msg_len);
}

static bool is_datagram(const struct view *view, int fd)
{
    int type = 0;
    socklen_t len = sizeof type;
    return kind_of(view, fd) == PORTMAP_UDP && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_DGRAM;
}

/* Where the source address is to go; 0: nowhere, or that cannot be read. Of a vector, the first message's. */
static uint64_t name_of(const struct call *call)
{
    const struct layout *layout = layout_of(call);
    unsigned char header[64];
    if (call->name == CALL_RECVFROM)
        return call->arguments[4];
    if (remote_read(call, call->arguments[1], header, layout->header) != 0)
        return 0;
    return message_decode(layout, header).name;
}

/* Whether our library will translate what the call receives. */
static bool is_librarys(const struct call *call)
{
    const struct image *image = image_of(call);
    if (image == NULL || image->is_exempt || !image->has_library)
        return image != NULL && image->is_exempt;
    uint64_t name = name_of(call);
    return name == 0 || trap_has_marked_room(call, name);
}

static struct answer receive_by(struct attempt attempt)
{
    const struct call *call = attempt.call;
    if (!attempt.view->active || attempt.view->reveal || is_librarys(call))
        return CONTINUE_CALL;
    attempt.events = POLLIN;
    attempt.make = receive;
    attempt.socket = trap_socket(call, (int)call->arguments[0]);
    if (attempt.socket < 0)
        return CONTINUE_CALL;
    if (is_datagram(attempt.view, attempt.socket))
        return waiting_make(&attempt);
    close(attempt.socket);
    return CONTINUE_CALL;
}

struct answer trap_recvfrom(const struct view *view, const struct call *call)
{
    return receive_by((struct attempt){.view = view, .call = call});
}

struct answer trap_recvmsg(const struct view *view, const struct call *call)
{
    return message_refuses(call, flags_of(call)) ? CONTINUE_CALL
                                                 : receive_by((struct attempt){.view = view, .call = call});
}

struct answer trap_recvmmsg(const struct view *view, const struct call *call)
{
    struct attempt attempt = {.view = view, .call = call};
    int64_t limit;
    if (message_refuses(call, flags_of(call)) || (uint32_t)call->arguments[2] == 0)
        return CONTINUE_CALL;
    if (call->arguments[4] != 0) {
        if (message_read_time(call, call->arguments[4], &limit) != 0)
            return CONTINUE_CALL;
        int64_t now = waiting_clock();
        attempt.end = limit < INT64_MAX - now ? now + limit : INT64_MAX;
    }
    return receive_by(attempt);
}
