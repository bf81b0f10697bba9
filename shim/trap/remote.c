#include "trap/remote.h"

#include "base/kernel.h"
#include "trap/threads.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE /* since Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

static int listener = -1;
static uint64_t own_network; /* 0: the kernel does not tell */
static enum untrapped trouble;

/* 0: it is no socket, or the kernel does not tell. */
static uint64_t network_of(int socket)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

void remote_init(int notifications)
{
    int own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listener = notifications;
    own_network = own >= 0 ? network_of(own) : 0;
    if (own >= 0)
        close(own);
}

/* Notes a result that is not about the program's own pointer or descriptor. */
static ssize_t noted(ssize_t result)
{
    if (result == -EPERM || result == -EACCES)
        trouble = UNTRAPPED_UNREADABLE;
    else if (result < 0 && result != -EFAULT && result != -EBADF)
        trouble = UNTRAPPED_OTHER;
    return result;
}

enum untrapped remote_trouble(void)
{
    enum untrapped was = trouble;
    trouble = UNTRAPPED_UNSAID;
    return was;
}

ssize_t remote_gather(const struct call *call, const struct iovec *places, unsigned count, void *to,
                      size_t size)
{
    const struct iovec own = {to, size};
    return noted(kernel_call(SYS_process_vm_readv, call->thread, &own, 1, places, (unsigned long)count, 0UL));
}

ssize_t remote_scatter(const struct call *call, const struct iovec *places, unsigned count, const void *from,
                       size_t size)
{
    const struct iovec own = {(void *)(uintptr_t)from, size};
    return noted(
        kernel_call(SYS_process_vm_writev, call->thread, &own, 1, places, (unsigned long)count, 0UL));
}

static int complete(ssize_t moved, size_t size)
{
    return moved < 0 ? (int)moved : (size_t)moved == size ? 0 : -EFAULT;
}

int remote_read(const struct call *call, uint64_t address, void *to, size_t size)
{
    const struct iovec place = {(void *)(uintptr_t)address, size};
    return complete(remote_gather(call, &place, 1, to, size), size);
}

int remote_write(const struct call *call, uint64_t address, const void *from, size_t size)
{
    const struct iovec place = {(void *)(uintptr_t)address, size};
    return complete(remote_scatter(call, &place, 1, from, size), size);
}

int remote_descriptor(const struct call *call, int fd)
{
    return (int)noted(threads_descriptor(call->thread, fd));
}

bool remote_is_here(int socket)
{
    uint64_t network = own_network != 0 ? network_of(socket) : 0;
    if (network != own_network && network != 0)
        trouble = UNTRAPPED_ELSEWHERE;
    return network == own_network;
}

bool remote_waits(const struct call *call)
{
    return kernel_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

/* An answer that comes too late, to a thread that was killed, is refused by the kernel. */
void remote_answer(const struct call *call, struct answer answer)
{
    struct seccomp_notif_resp response = {.id = call->id};
    if (answer.how == ANSWER_CONTINUE)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (answer.value < 0)
        response.error = (int)answer.value;
    else
        response.val = answer.value;
    kernel_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}
