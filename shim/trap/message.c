#include "trap/message.h"

#include "trap/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const struct layout wide = {.word = 8,
                                   .header = 56,
                                   .stride = 64,
                                   .name_size_at = 8,
                                   .control_size_at = 40,
                                   .flags_at = 48,
                                   .length_at = 56,
                                   .control_head = 16};

static const struct layout narrow = {.word = 4,
                                     .header = 28,
                                     .stride = 32,
                                     .name_size_at = 4,
                                     .control_size_at = 20,
                                     .flags_at = 24,
                                     .length_at = 28,
                                     .control_head = 12};

#if UINTPTR_MAX == UINT32_MAX
#define own narrow
#else
#define own wide
#endif

/* Where the memory of any program ends. */
#if defined(__x86_64__)
#define MEMORY_END ((UINT64_C(1) << 47) - 4096)
#else
#define MEMORY_END (UINT64_C(1) << 63)
#endif

const struct layout *layout_of(const struct call *call)
{
    return call->is_narrow ? &narrow : &own;
}

static uint64_t word_at(const struct layout *layout, const void *bytes, size_t at)
{
    uint64_t word = 0; /* little-endian, as every machine with a trap */
    memcpy(&word, (const char *)bytes + at, layout->word);
    return word;
}

struct message message_decode(const struct layout *layout, const void *header)
{
    size_t at = layout->name_size_at + layout->word, word = layout->word;
    struct message message = {.name = word_at(layout, header, 0),
                              .parts = word_at(layout, header, at),
                              .part_count = word_at(layout, header, at + word),
                              .control = word_at(layout, header, at + 2 * word),
                              .control_size = word_at(layout, header, at + 3 * word)};
    memcpy(&message.name_size, (const char *)header + layout->name_size_at, sizeof message.name_size);
    return message;
}

bool message_may_lie_at(uint64_t address, uint64_t size)
{
    return size <= MEMORY_END && address <= MEMORY_END - size;
}

int64_t message_parts(const struct layout *layout, const void *bytes, unsigned count, struct iovec *parts)
{
    int64_t sum = 0;
    int error = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t at = (size_t)i * 2 * layout->word;
        uint64_t address = word_at(layout, bytes, at), size = word_at(layout, bytes, at + layout->word);
        if (size >> (8 * layout->word - 1) != 0)
            return -EINVAL;
        if (!message_may_lie_at(address, size))
            error = -EFAULT;
        parts[i] = (struct iovec){(void *)(uintptr_t)address, (size_t)size};
        sum = (int64_t)size > INT64_MAX - sum ? INT64_MAX : sum + (int64_t)size;
    }
    return error != 0 ? error : sum;
}

static size_t aligned(const struct layout *layout, size_t size)
{
    return (size + layout->word - 1) & ~((size_t)layout->word - 1);
}

/* Writes the head of a control message of so many bytes, head included. */
static void put_head(const struct layout *layout, void *to, size_t size, int level, int type)
{
    char *at = to;
    memcpy(at, &(uint64_t){size}, layout->word);
    memcpy(at + layout->word, &level, sizeof level);
    memcpy(at + layout->word + sizeof level, &type, sizeof type);
}

static void get_head(const struct layout *layout, const void *from, struct control *control)
{
    const char *at = from;
    memcpy(&control->level, at + layout->word, sizeof control->level);
    memcpy(&control->type, at + layout->word + sizeof control->level, sizeof control->type);
    control->data = at + layout->control_head;
}

int64_t message_control_in(const struct layout *layout, const void *from, size_t size, void *to)
{
    size_t used = 0;
    if (layout == &own) {
        memcpy(to, from, size);
        return (int64_t)size;
    }
    for (size_t at = 0; at < size;) {
        const char *place = (const char *)from + at;
        uint64_t whole = size - at >= layout->control_head ? word_at(layout, place, 0) : 0;
        if (whole < layout->control_head || whole > size - at)
            return -1;
        struct control control = {.size = (size_t)whole - layout->control_head};
        get_head(layout, place, &control);
        memset((char *)to + used, 0, aligned(&own, own.control_head + control.size));
        put_head(&own, (char *)to + used, own.control_head + control.size, control.level, control.type);
        memcpy((char *)to + used + own.control_head, control.data, control.size);
        used += aligned(&own, own.control_head + control.size);
        size_t step = aligned(layout, (size_t)whole);
        at += step < size - at ? step : size - at;
    }
    return (int64_t)used;
}

bool message_next_control(const unsigned char **from, size_t *left, struct control *control)
{
    uint64_t whole = *left >= own.control_head ? word_at(&own, *from, 0) : 0;
    if (whole < own.control_head || whole > *left)
        return false;
    get_head(&own, *from, control);
    control->size = (size_t)whole - own.control_head;
    size_t step = aligned(&own, (size_t)whole);
    step = step < *left ? step : *left;
    *from += step;
    *left -= step;
    return true;
}

/* How many times of two words each (struct timeval, struct timespec) a control message holds. Those with a
 * type of their own for 64 bits (SO_TIMESTAMP_NEW and the like) are the same for every program. */
static unsigned times_in(const struct control *control)
{
    enum { OLD_TIMESTAMP = 29, OLD_TIMESTAMPNS = 35, OLD_TIMESTAMPING = 37 };
    if (control->level != SOL_SOCKET)
        return 0;
    if (control->type == OLD_TIMESTAMP || control->type == OLD_TIMESTAMPNS)
        return 1;
    return control->type == OLD_TIMESTAMPING ? 3 : 0;
}

size_t message_control_out(const struct layout *layout, const struct control *control, void *to,
                           size_t *space)
{
    char *data = (char *)to + layout->control_head;
    size_t size = control->size;
    unsigned words = layout == &own ? 0 : 2 * times_in(control);
    if (words > 0) {
        for (unsigned i = 0; i < words; i++)
            memcpy(data + (size_t)i * layout->word, (const char *)control->data + (size_t)i * own.word,
                   layout->word);
        size = (size_t)words * layout->word;
    } else {
        memcpy(data, control->data, size);
    }
    put_head(layout, to, layout->control_head + size, control->level, control->type);
    *space = aligned(layout, layout->control_head + size);
    return layout->control_head + size;
}

#define SECOND INT64_C(1000000000)

/* The word of struct timespec, which has 64 bits in calls of i386 for a 64-bit time_t. */
static size_t time_word(const struct call *call)
{
    return call->is_time64 ? 8 : layout_of(call)->word;
}

static int64_t signed_word(const unsigned char *bytes, size_t word)
{
    int64_t wide_one;
    int32_t narrow_one;
    if (word == 4) {
        memcpy(&narrow_one, bytes, sizeof narrow_one);
        return narrow_one;
    }
    memcpy(&wide_one, bytes, sizeof wide_one);
    return wide_one;
}

int message_read_time(const struct call *call, uint64_t address, int64_t *time)
{
    unsigned char bytes[16];
    size_t word = time_word(call);
    int error = remote_read(call, address, bytes, 2 * word);
    if (error != 0)
        return error;
    int64_t seconds = signed_word(bytes, word), rest = signed_word(bytes + word, word);
    if (call->is_time64)
        rest &= UINT32_MAX; /* as get_timespec64(): libc does not set the upper half of a long */
    if (seconds < 0 || rest < 0 || rest >= SECOND)
        return -EINVAL;
    *time = seconds < INT64_MAX / SECOND ? seconds * SECOND + rest : INT64_MAX;
    return 0;
}

int message_write_time(const struct call *call, uint64_t address, int64_t time)
{
    unsigned char bytes[16];
    size_t word = time_word(call);
    memcpy(bytes, &(int64_t){time / SECOND}, word);
    memcpy(bytes + word, &(int64_t){time % SECOND}, word);
    return remote_write(call, address, bytes, 2 * word);
}
