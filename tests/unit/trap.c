/* The trap's filter, what it makes of calls, and a waiting thread's memory and descriptors:
 * trap/{filter,call, remote,threads}.h. A child is trapped and makes calls; the test answers them. */
#include "unit.h"

#include "trap/filter.h"
#include "trap/numbers.h"
#include "trap/question.h"
#include "trap/remote.h"
#include "trap/threads.h"
#include "trap/word.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define COOKIE UINT64_C(0x0123456789abcdef)

static pid_t child;
static int control[2], listener;

/* In the child: says how a call ended. The call that carries the answer is never trapped. */
static void tell(long result)
{
    int64_t said = result < 0 ? -errno : result;
    if (write(control[1], &said, sizeof said) != sizeof said)
        _exit(1);
}

static long told(void)
{
    int64_t said = 0;
    equal(read(control[0], &said, sizeof said), sizeof said);
    return (long)said;
}

/* A child with the filter, which runs `calls`. */
static void trap(bool datagrams, void (*calls)(void))
{
    equal(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
    child = fork();
    if (child == 0) {
        const struct filter_wish wish = {.datagrams = datagrams, .cookie = COOKIE};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tell(filter_install(&wish));
        char go;
        if (read(control[1], &go, 1) == 1)
            calls();
        _exit(0);
    }
    int number = (int)told();
    check(number >= 0, "no filter: %s", strerror(-number));
    listener = threads_descriptor(child, number);
    check(listener >= 0, "%s", strerror(-listener));
    remote_init(listener);
    equal(write(control[0], "", 1), 1);
}

static struct call next(void)
{
    union {
        struct seccomp_notif received;
        char room[512];
    } notification = {.received = {0}};
    struct call call;
    equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification), 0);
    call_decode(&call, &notification.received);
    return call;
}

static void answer(const struct call *call, long value)
{
    remote_answer(call, answer_value(value));
    equal(told(), value);
}

static struct sockaddr_in somewhere = {.sin_family = AF_INET};

static void make_each(void)
{
    struct msghdr message = {0};
    struct mmsghdr messages = {.msg_hdr = message};
    char byte = 0;
    for (int fd = 100; fd < 102; fd++) {
        tell(syscall(SYS_bind, fd, &somewhere, 16, 0, 0, 0));
        tell(syscall(SYS_listen, fd, 5));
        tell(syscall(SYS_connect, fd, &somewhere, 16));
        tell(syscall(SYS_getsockname, fd, &somewhere, 16, 0, 0, COOKIE + 1));
        tell(syscall(SYS_getpeername, fd, &somewhere, 16, 0, 0, COOKIE ^ (UINT64_C(1) << 40)));
        tell(syscall(SYS_sendto, fd, &byte, 1, 0, &somewhere, 16));
        tell(syscall(SYS_sendmsg, fd, &message, 0));
        tell(syscall(SYS_sendmmsg, fd, &messages, 1, 0));
        tell(syscall(SYS_recvfrom, fd, &byte, 1, 0, &somewhere, &byte));
        tell(syscall(SYS_recvmsg, fd, &message, 0));
        tell(syscall(SYS_recvmmsg, fd, &messages, 1, 0, NULL));
    }
}

TEST("each call that is trapped is told by its name, with its arguments")
{
    trap(true, make_each);
    for (unsigned fd = 100; fd < 102; fd++)
        for (enum call_name name = CALL_BIND; name <= CALL_RECVMMSG; name++) {
            struct call call = next();
            equal(call.name, name);
            equal(call.arguments[0], fd);
            equal(call.thread, child);
            check(!call.is_narrow, "of this machine");
            answer(&call, (long)name * 3);
        }
}

TEST("without datagrams, calls that send and receive are not trapped")
{
    trap(false, make_each);
    for (enum call_name name = CALL_BIND; name <= CALL_GETPEERNAME; name++) {
        struct call call = next();
        equal(call.name, name);
        answer(&call, 0);
    }
    for (enum call_name name = CALL_SENDTO; name <= CALL_RECVMMSG; name++)
        equal(told(), -EBADF);
}

static void pass(void)
{
    struct io_uring_params parameters = {0};
    char byte = 0;
    tell(syscall(SYS_bind, 100, &somewhere, 16, 0, 0, COOKIE));
    tell(syscall(SYS_getsockname, 100, &somewhere, 16, 0, 0, COOKIE));
    tell(syscall(SYS_getpeername, 100, &somewhere, 16, 0, 0, COOKIE));
    tell(syscall(SYS_sendto, 100, &byte, 1, 0, NULL, 0));
    tell(syscall(SYS_recvfrom, 100, &byte, 1, 0, NULL, NULL));
    tell(syscall(SYS_accept4, 100, &somewhere, &byte, 0));
    tell(syscall(SYS_io_uring_setup, 1, &parameters));
    tell(syscall(0x40000000 | SYS_bind, 100, &somewhere, 16));
}

TEST("calls with the cookie, and those without an address, pass; rings and x32 are refused")
{
    trap(true, pass);
    for (unsigned i = 0; i < 6; i++)
        equal(told(), -EBADF);
    equal(told(), -ENOSYS);
    equal(told(), -ENOSYS);
}

#ifdef __x86_64__
static long narrow(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    errno = (int)-result;
    return result < 0 ? -1 : result;
}

/* The sixth argument is in ebp, which the compiler may need. */
static long narrow_with_cookie(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("xchgq %%rbp, %%rdi\n\tint $0x80\n\txchgq %%rbp, %%rdi"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "D"((uint32_t)COOKIE)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    return result < 0 ? -1 : result;
}

static void make_narrow(void)
{
    uint32_t *words =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    words[0] = 100;
    words[1] = 0xfffffff0;
    words[2] = 16;
    tell(narrow(NUMBER_SOCKETCALL, 2, (long)(uintptr_t)words, 0));
    tell(narrow(NUMBER_SOCKETCALL, 1, (long)(uintptr_t)words, 0)); /* socket(2) */
    tell(narrow(NUMBER_SOCKETCALL, 2, 16, 0));
    tell(narrow(361, 101, 0x1000, 16));
    tell(narrow_with_cookie(361, 101, 0x1000, 16)); /* bind(2), getsockname(2), getpeername(2) */
    tell(narrow_with_cookie(367, 101, 0x1000, 0x1000));
    tell(narrow_with_cookie(368, 101, 0x1000, 0x1000));
    tell(narrow_with_cookie(362, 101, 0x1000, 16)); /* connect(2) */
    tell(narrow(NUMBER_RECVMMSG_TIME64, 101, 0, 0));
}

TEST("calls of i386 are told, by themselves and through socketcall(2)")
{
    trap(true, make_narrow);
    struct call call = next();
    equal(call.name, CALL_BIND);
    check(call.is_narrow, "of i386");
    equal(call.arguments[0], 100);
    equal(call.arguments[1], 0xfffffff0);
    equal(call.arguments[2], 16);
    answer(&call, 0);
    equal(told(), -EINVAL);
    call = next();
    equal(call.name, CALL_BIND);
    check(call.lacks_arguments, "they cannot be read");
    answer(&call, 7);
    call = next();
    equal(call.name, CALL_BIND);
    equal(call.arguments[0], 101);
    answer(&call, 0);
    for (unsigned passed = 0; passed < 3; passed++)
        equal(told(), -EBADF);
    call = next();
    equal(call.name, CALL_CONNECT);
    answer(&call, 0);
    call = next();
    equal(call.name, CALL_RECVMMSG);
    check(call.is_time64, "with 64 bits of time");
    answer(&call, 0);
}
#endif

TEST("a marked address is as long as the kernel wants it, and is told from one without the mark")
{
    union {
        struct sockaddr_storage storage;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address = {.ipv4 = {AF_INET, 1, {2}, {0}}};
    check(!trap_is_marked(&address.storage, 16, COOKIE), "not yet");
    equal(trap_mark(&address.storage, 16, COOKIE), 16);
    check(trap_is_marked(&address.storage, 16, COOKIE), "IPv4");
    check(!trap_is_marked(&address.storage, 16, COOKIE + 1), "another supervisor's");
    equal(trap_mark(&address.storage, 40, COOKIE), 40);
    memset(&address, 0xff, sizeof address);
    address.ipv6.sin6_family = AF_INET6;
    equal(trap_mark(&address.storage, 24, COOKIE), 36); /* RFC 2133's, without a scope */
    equal(address.ipv6.sin6_scope_id, 0);
    check(trap_is_marked(&address.storage, 36, COOKIE), "IPv6");
    check(!trap_is_marked(&address.storage, 28, COOKIE), "what is behind it is not of the address");
    equal(trap_mark(&address.storage, sizeof address, COOKIE), sizeof address);
}

static struct sockaddr_in *last_bytes; /* the address ends with its page; behind that nothing is mapped */

static void bind_there(void)
{
    tell(syscall(SYS_bind, 100, last_bytes, 16));
    tell(syscall(SYS_bind, 100, (char *)last_bytes + 8, 16));
}

TEST("memory is read and written as far as the program could, and no further")
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    last_bytes = (void *)(pages + 4096 - 16);
    *last_bytes = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = 0x1234};
    trap(false, bind_there);
    struct sockaddr_in read = {0};
    struct call call = next();
    equal(remote_read(&call, call.arguments[1], &read, 16), 0);
    equal(read.sin_port, 0x1234);
    equal(remote_read(&call, call.arguments[1], &read, 17 - 1), 0);
    char seventeen[17];
    equal(remote_read(&call, call.arguments[1], seventeen, 17), -EFAULT);
    equal(remote_write(&call, call.arguments[1], &read, 16), 0);
    equal(remote_write(&call, call.arguments[1], seventeen, 17), -EFAULT);
    equal(remote_trouble(), UNTRAPPED_UNSAID);
    check(remote_waits(&call), "it waits");
    answer(&call, 0);
    check(!remote_waits(&call), "it has its answer");
    call = next();
    equal(remote_read(&call, call.arguments[1], &read, 16), -EFAULT);
    answer(&call, -EFAULT);
}

static void *bind_in_thread(void *none)
{
    tell(syscall(SYS_bind, 100, &somewhere, 16));
    return none;
}

static void bind_in_threads(void)
{
    pthread_t thread;
    int null = open("/dev/null", O_RDONLY);
    tell(null);
    for (unsigned i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, bind_in_thread, NULL);
        pthread_join(thread, NULL);
    }
}

TEST("a thread's descriptors are its process's, and its group is known")
{
    trap(false, bind_in_threads);
    int null = (int)told();
    for (unsigned i = 0; i < 3; i++) {
        struct call call = next();
        check(call.thread != child, "another thread than the first");
        struct thread *thread = threads_find(call.thread);
        check(thread != NULL, "it waits");
        equal(thread->group, child);
        int own = threads_descriptor(call.thread, null);
        check(own >= 0, "%s", strerror(-own));
        close(own);
        equal(threads_descriptor(call.thread, 99), -EBADF);
        answer(&call, 0);
    }
}

static void exit_at_once(void)
{
}

TEST("a thread that has ended has no descriptors")
{
    trap(false, exit_at_once);
    struct thread *thread = threads_find(child);
    check(thread == NULL || thread->number == child, "the child");
    equal(waitpid(child, NULL, 0), child);
    equal(threads_descriptor(child, 0), -ESRCH);
    check(threads_find(child) == NULL, "it has ended");
}

static void twice(void)
{
    const struct filter_wish wish = {.cookie = COOKIE};
    tell(filter_install(&wish) < 0 ? (errno = EBUSY, -1) : 0);
}

TEST("there is one listener for a process")
{
    trap(false, twice);
    equal(told(), -EBUSY);
}

TEST("the last word of a process is heard, although it has not heard all")
{
    struct word word = {.kind = WORD_RUNNING};
    int talk[2];
    equal(word_pair(talk), 0);
    check(word_send(talk[0], &word), "%m");
    word.kind = WORD_YOURS;
    check(word_send(talk[1], &word), "%m");
    close(talk[1]);
    equal(word_receive(talk[0], &word), WORD_YOURS);
    equal(word_receive(talk[0], &word), WORD_NONE);
}
