#include "trap/word.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor beside a word. */
union passed {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

int word_pair(int sockets[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0 ? 0 : -errno;
}

static size_t size_of(const struct word *word)
{
    return word->kind == WORD_REFUSED ? sizeof *word : offsetof(struct word, problem);
}

bool word_send(int to, const struct word *word)
{
    return send(to, word, size_of(word), MSG_NOSIGNAL) == (ssize_t)size_of(word);
}

/* When the other one has ended without having read all that was sent to it, the kernel says that first, once;
 * its own words are behind it (unix_release_sock() in net/unix/af_unix.c). */
enum word_kind word_receive(int from, struct word *word)
{
    ssize_t size = recv(from, word, sizeof *word, 0);
    if (size < 0 && errno == ECONNRESET)
        size = recv(from, word, sizeof *word, 0);
    if (size <= 0)
        word->kind = WORD_NONE;
    return word->kind;
}

bool word_send_with(int to, const struct word *word, int fd)
{
    union passed passed;
    struct iovec content = {(void *)(uintptr_t)word, size_of(word)};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed};
    memset(&passed, 0, sizeof passed);
    passed.header.cmsg_len = CMSG_LEN(sizeof fd);
    passed.header.cmsg_level = SOL_SOCKET;
    passed.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&passed.header), &fd, sizeof fd);
    return sendmsg(to, &message, MSG_NOSIGNAL) == (ssize_t)content.iov_len;
}

enum word_kind word_receive_with(int from, struct word *word, int *fd)
{
    union passed passed;
    struct iovec content = {word, sizeof *word};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed};
    *fd = -1;
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0)
        return word->kind = WORD_NONE;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return word->kind;
}
