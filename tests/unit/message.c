/* Messages of programs whose words have 32 bits, and of those like this one: trap/message.h. */
#include "unit.h"

#include "trap/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

static const struct call ours = {.is_narrow = false}, narrow = {.is_narrow = true};

TEST("a header is decoded as this machine's libc lays it out")
{
    const struct layout *layout = layout_of(&ours);
    struct mmsghdr messages[2];
    memset(messages, 0xa5, sizeof messages);
    struct msghdr *header = &messages[1].msg_hdr;
    header->msg_name = (void *)1;
    header->msg_namelen = 2;
    header->msg_iov = (void *)3;
    header->msg_iovlen = 4;
    header->msg_control = (void *)5;
    header->msg_controllen = 6;
    header->msg_flags = 7;
    messages[1].msg_len = 8;
    const char *at = (const char *)messages + layout->stride;
    check(at == (const char *)header, "the second message");
    struct message message = message_decode(layout, at);
    equal(message.name, 1);
    equal(message.name_size, 2);
    equal(message.parts, 3);
    equal(message.part_count, 4);
    equal(message.control, 5);
    equal(message.control_size, 6);
    equal(*(const int *)(const void *)(at + layout->flags_at), 7);
    equal(*(const int *)(const void *)(at + layout->length_at), 8);
    equal(*(const int *)(const void *)(at + layout->name_size_at), 2);
    equal(*(const size_t *)(const void *)(at + layout->control_size_at), 6);
}

TEST("a header of i386 is decoded as the kernel lays it out")
{
    const uint32_t words[8] = {0xfffff000, (uint32_t)-1, 0x1000, 3, 0x2000, 40, 7, 8};
    const struct layout *layout = layout_of(&narrow);
    struct message message = message_decode(layout, words);
    equal(layout->header, 28);
    equal(layout->stride, sizeof words);
    equal(message.name, 0xfffff000);
    equal(message.name_size, -1);
    equal(message.parts, 0x1000);
    equal(message.part_count, 3);
    equal(message.control, 0x2000);
    equal(message.control_size, 40);
    equal(words[layout->flags_at / 4], 7);
    equal(words[layout->length_at / 4], 8);
}

TEST("parts are summed up, and refused as the kernel refuses them")
{
    struct iovec parts[2];
    const uint32_t few[] = {0x1000, 5, 0xfffff000, 7}, negative[] = {0x1000, 5, 0x2000, 0x80000000};
    equal(message_parts(layout_of(&narrow), few, 2, parts), 12);
    equal((uintptr_t)parts[1].iov_base, 0xfffff000);
    equal(parts[1].iov_len, 7);
    equal(message_parts(layout_of(&narrow), negative, 2, parts), -EINVAL);
    const struct iovec wide[] = {{(void *)UINTPTR_MAX, 1}, {NULL, 3}}, endless[] = {{NULL, SIZE_MAX}};
    equal(message_parts(layout_of(&ours), wide, 2, parts), -EFAULT);
    equal(message_parts(layout_of(&ours), wide + 1, 1, parts), 3);
    equal(message_parts(layout_of(&ours), endless, 1, parts), -EINVAL);
}

/* Control messages as i386 has them: a size, a level, a type, and data. */
static const uint32_t two[] = {16, IPPROTO_IP, 1, 0x10, 13, IPPROTO_IP, 2, 0x40};

TEST("control messages of i386 become the same ones of this process")
{
    struct control control;
    unsigned char converted[2 * sizeof two];
    const unsigned char *at = converted;
    size_t left = (size_t)message_control_in(layout_of(&narrow), two, sizeof two, converted);
    check(message_next_control(&at, &left, &control), "one");
    equal(control.level, IPPROTO_IP);
    equal(control.type, 1);
    equal(control.size, 4);
    equal(*(const uint32_t *)control.data, 0x10);
    check(message_next_control(&at, &left, &control), "another one");
    equal(control.type, 2);
    equal(control.size, 1);
    equal(*(const unsigned char *)control.data, 0x40);
    check(!message_next_control(&at, &left, &control), "no third");
    equal(left, 0);
}

TEST("control messages that the kernel would refuse are refused")
{
    unsigned char converted[2 * sizeof two];
    const uint32_t bad_sizes[] = {0, 11, 33, UINT32_MAX};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t bad[8];
        memcpy(bad, two, sizeof bad);
        bad[0] = bad_sizes[i];
        equal(message_control_in(layout_of(&narrow), bad, sizeof bad, converted), -1);
    }
    equal(message_control_in(layout_of(&narrow), two, 11, converted), -1);
    equal(message_control_in(layout_of(&narrow), two, 0, converted), 0);
    equal(message_control_in(layout_of(&narrow), two, 20, converted), -1); /* less than a head is left */
}

TEST("a control message is written as the kernel writes it for i386, with short times")
{
    uint32_t words[64];
    size_t space;
    const int64_t times[6] = {1, 2, 3, 4, 5, 6};
    const uint32_t hops = 64;
    const struct control one = {IPPROTO_IP, IP_TTL, &hops, sizeof hops}, stamp = {SOL_SOCKET, 29, times, 16},
                         three = {SOL_SOCKET, 37, times, 48}, late = {SOL_SOCKET, 63, times, 16};
    equal(message_control_out(layout_of(&narrow), &one, words, &space), 16);
    equal(space, 16);
    equal(words[0], 16);
    equal(words[1], IPPROTO_IP);
    equal(words[2], IP_TTL);
    equal(words[3], 64);
    equal(message_control_out(layout_of(&narrow), &stamp, words, &space), 20);
    equal(words[0], 20);
    equal(words[3], 1);
    equal(words[4], 2);
    equal(message_control_out(layout_of(&narrow), &three, words, &space), 36);
    equal(words[8], 6);
    equal(message_control_out(layout_of(&narrow), &late, words, &space), 28); /* has 64 bits for all */
}

#if UINTPTR_MAX > UINT32_MAX
TEST("a control message is written as this machine's libc lays it out")
{
    unsigned char bytes[64];
    struct cmsghdr head;
    size_t space;
    const struct control stamp = {SOL_SOCKET, 29, "0123456789abcdef", 13};
    equal(message_control_out(layout_of(&ours), &stamp, bytes, &space), CMSG_LEN(13));
    equal(space, CMSG_SPACE(13));
    memcpy(&head, bytes, sizeof head);
    equal(head.cmsg_len, CMSG_LEN(13));
    equal(head.cmsg_level, SOL_SOCKET);
    equal(head.cmsg_type, 29);
    check(memcmp(bytes + sizeof head, "0123456789abc", 13) == 0, "the data");
}
#endif
