/* Blocking connects that the supervisor makes: trap/connecting.h. */
#include "unit.h"

#include "trap/connecting.h"
#include "trap/filter.h"
#include "trap/remote.h"
#include "trap/threads.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static union address at;
static socklen_t at_len = sizeof at;

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0, "%s", strerror(errno));
    return fd;
}

static int listen_somewhere(int backlog)
{
    int fd = new_socket();
    at.ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    equal(bind(fd, &at.any, sizeof at.ipv4), 0);
    equal(listen(fd, backlog), 0);
    equal(getsockname(fd, &at.any, &at_len), 0);
    return fd;
}

/* As many connections as nobody accepts; the next one waits. */
static void fill_backlog(void)
{
    struct timeval brief = {.tv_usec = 100000};
    int fd;
    do {
        fd = new_socket();
        equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof brief), 0);
    } while (connect(fd, &at.any, at_len) == 0);
    equal(errno, EINPROGRESS);
}

/* This process may have no more descriptors than it has. */
static void allow_no_descriptor(void)
{
    const struct rlimit none = {0};
    equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static struct answer start(int fd)
{
    const struct call call = {.name = CALL_CONNECT};
    return connecting_start(&call, fd, &at, at_len);
}

TEST("a call that no thread can take is answered within a few milliseconds")
{
    struct timeval kept = {.tv_sec = 77}, now;
    socklen_t len = sizeof now;
    listen_somewhere(0);
    fill_backlog();
    int fd = new_socket(), of_program = dup(fd);
    equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kept, sizeof kept), 0);
    allow_no_descriptor();
    equal(start(fd).how, ANSWER_CONTINUE);
    equal(getsockopt(of_program, SOL_SOCKET, SO_SNDTIMEO, &now, &len), 0);
    equal(now.tv_sec, 77);
    equal(close(fd), -1); /* it was closed */
}

TEST("it is answered with the kernel's own result where there is one")
{
    enum { TRIES = 10 }; /* on a busy machine, a packet may take longer than those milliseconds */
    listen_somewhere(TRIES);
    int good[TRIES], refused[TRIES], taken = new_socket(), left;
    struct answer answer;
    for (int i = 0; i < TRIES; i++) {
        good[i] = new_socket();
        refused[i] = new_socket();
    }
    allow_no_descriptor();
    for (left = TRIES, answer.how = ANSWER_CONTINUE; answer.how == ANSWER_CONTINUE && left > 0;)
        answer = start(good[--left]);
    equal(answer.how, ANSWER_VALUE);
    equal(answer.value, 0);
    equal(bind(taken, &(struct sockaddr){.sa_family = AF_INET}, sizeof(struct sockaddr_in)), 0);
    equal(getsockname(taken, &at.any, &at_len), 0);
    at.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (left = TRIES, answer.how = ANSWER_CONTINUE; answer.how == ANSWER_CONTINUE && left > 0;)
        answer = start(refused[--left]);
    equal(answer.value, -ECONNREFUSED);
}

TEST("another thread takes it where it can")
{
    listen_somewhere(5);
    equal(start(new_socket()).how, ANSWER_LATER);
}

/* A trapped child that connects this socket. Returns its call. */
static struct call call_of_child(int fd)
{
    struct {
        struct seccomp_notif first;
        char rest[256];
    } notification = {.first = {0}};
    int ends[2], number = -1;
    struct call call;
    equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const struct filter_wish wish = {.datagrams = false};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        number = filter_install(&wish);
        if (write(ends[1], &number, sizeof number) == sizeof number)
            connect(fd, &at.any, at_len);
        _exit(0);
    }
    equal(read(ends[0], &number, sizeof number), sizeof number);
    int listener = threads_descriptor(child, number);
    check(listener >= 0, "%s", strerror(-listener));
    remote_init(listener);
    equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification), 0);
    call_decode(&call, &notification.first);
    return call;
}

TEST("a call that waits for its socket's time limit leaves no other one lying")
{
    struct timeval long_limit = {.tv_sec = 600};
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    listen_somewhere(0);
    fill_backlog();
    int slow = new_socket(), of_program = dup(slow);
    equal(setsockopt(slow, SOL_SOCKET, SO_SNDTIMEO, &long_limit, sizeof long_limit), 0);
    const struct call call = call_of_child(of_program);
    equal(connecting_start(&call, slow, &at, at_len).how, ANSWER_LATER);
    while (info.tcpi_state != TCP_SYN_SENT) /* it has been taken, and is being begun */
        equal(getsockopt(of_program, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    int server = listen_somewhere(5);
    equal(start(new_socket()).how, ANSWER_LATER);
    equal(poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, 50000), 1);
}
