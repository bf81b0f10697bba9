/*
 * How messages (struct msghdr) lie in a program's memory. An i386 program has pointers and sizes of 32 bits.
 * As include/linux/socket.h, include/net/compat.h and net/compat.c of the kernel have it.
 */
#ifndef SHIM_TRAP_MESSAGE_H
#define SHIM_TRAP_MESSAGE_H

#include "trap/call.h"

#include <stddef.h>
#include <sys/uio.h>

/* Sizes and offsets in bytes. */
struct layout {
    unsigned char word;         /* a pointer, a size */
    unsigned char header;       /* struct msghdr */
    unsigned char stride;       /* struct mmsghdr */
    unsigned char name_size_at; /* in struct mmsghdr, and so in struct msghdr: msg_namelen */
    unsigned char control_size_at;
    unsigned char flags_at;
    unsigned char length_at;    /* msg_len */
    unsigned char control_head; /* struct cmsghdr */
};

const struct layout *layout_of(const struct call *call);

/* A program's message. Addresses are those of the program. */
struct message {
    uint64_t name, parts, control;
    uint64_t part_count, control_size;
    int32_t name_size;
};

enum { MESSAGE_PARTS = 1024 /* more are an error (UIO_MAXIOV) */ };

/* MSG_CMSG_COMPAT: by this flag the kernel itself marks calls of i386. From a program it is an error in calls
 * of messages (EINVAL), which message_refuses() tells. i386 may set it. */
#define MESSAGE_COMPAT INT32_MIN

static inline bool message_refuses(const struct call *call, int flags)
{
    return !call->is_narrow && (flags & MESSAGE_COMPAT) != 0;
}

/* From the layout's `header` bytes. */
struct message message_decode(const struct layout *layout, const void *header);

/* Decodes struct iovec[count]. Returns the sum of the sizes, or a negated errno by which the kernel would
 * refuse the parts: -EINVAL for a negative size, -EFAULT when one reaches beyond any program's memory. */
int64_t message_parts(const struct layout *layout, const void *bytes, unsigned count, struct iovec *parts);

/* Whether a program may have so much memory there, whether it does or not (access_ok()). */
bool message_may_lie_at(uint64_t address, uint64_t size);

/*
 * Converts control messages of a program, size bytes, to those of this process, and returns their size, which
 * is at most 2 * size; -1 when the kernel would refuse them.
 */
int64_t message_control_in(const struct layout *layout, const void *from, size_t size, void *to);

/* A control message. */
struct control {
    int level, type;
    const void *data;
    size_t size;
};

/* Takes the next control message of this process from *from[*left]. False when there is none. */
bool message_next_control(const unsigned char **from, size_t *left, struct control *control);

/* Enough for what the kernel sends with one datagram: IPv6 extension headers are the most, by far. */
enum { MESSAGE_CONTROL = 16384 };

/*
 * Writes a control message as the program has it to to[MESSAGE_CONTROL]; times become those of the program's
 * word. Returns how many bytes. *space is set to how far the next one is from this one.
 */
size_t message_control_out(const struct layout *layout, const struct control *control, void *to,
                           size_t *space);

/* A struct timespec of the program, in nanoseconds; INT64_MAX when it is longer than that. Returns 0,
 * -EFAULT, or -EINVAL when the kernel would refuse it. */
int message_read_time(const struct call *call, uint64_t address, int64_t *time);
int message_write_time(const struct call *call, uint64_t address, int64_t time);

#endif
