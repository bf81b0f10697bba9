/*
 * What a supervisor reads of the programs under its trap: trap/message.h, and with the first byte 's' the
 * text of /proc/PID/status: trap/status.h. Else that byte says whether the program is one of i386.
 */
#include "fuzz.h"

#include "trap/message.h"
#include "trap/status.h"

static void read_status(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    struct status status;
    if (status_parse(text, &status))
        must(strstr(text, "\nState:\t") != NULL);
    free(text);
}

/* Bytes in memory of their own, so that nothing is read before and behind them. */
static unsigned char *own_copy(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    must(copy != NULL);
    memcpy(copy, data, size);
    return copy;
}

static void read_parts(const struct layout *layout, const unsigned char *bytes, size_t size)
{
    unsigned count = (unsigned)(size / (2 * (size_t)layout->word));
    struct iovec *parts = calloc(count + 1, sizeof *parts);
    must(parts != NULL);
    int64_t sum = message_parts(layout, bytes, count, parts);
    for (unsigned i = 0; sum >= 0 && i < count; i++)
        must((int64_t)parts[i].iov_len <= sum &&
             message_may_lie_at((uintptr_t)parts[i].iov_base, parts[i].iov_len));
    free(parts);
}

/* The messages of the program as the kernel gets them from us; each as the program would get it back. */
static void read_control(const struct layout *layout, const unsigned char *bytes, size_t size)
{
    static unsigned char back[MESSAGE_CONTROL];
    unsigned char *ours = malloc(2 * size + 1);
    struct control control;
    size_t space;
    must(ours != NULL);
    int64_t whole = message_control_in(layout, bytes, size, ours);
    must(whole <= (int64_t)(2 * size));
    size_t left = whole > 0 ? (size_t)whole : 0;
    for (const unsigned char *from = ours; message_next_control(&from, &left, &control);) {
        must((const unsigned char *)control.data + control.size <= ours + whole);
        bool is_time = control.level == 1 /* SOL_SOCKET */; /* the kernel does not cut times */
        if (is_time || control.size + layout->control_head > sizeof back)
            continue;
        must(message_control_out(layout, &control, back, &space) == layout->control_head + control.size);
        must(space >= layout->control_head + control.size);
        must(memcmp(back + layout->control_head, control.data, control.size) == 0);
    }
    free(ours);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct call call = {.is_narrow = (*data & 1) != 0};
    const struct layout *layout = layout_of(&call);
    if (*data == 's') {
        read_status(data + 1, size - 1);
        return 0;
    }
    unsigned char *bytes = own_copy(data + 1, size - 1);
    if (size - 1 >= layout->header)
        message_decode(layout, bytes);
    read_parts(layout, bytes, size - 1);
    read_control(layout, bytes, size - 1);
    free(bytes);
    return 0;
}
