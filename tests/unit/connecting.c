/* Blocking connects that the supervisor makes: trap/connecting.h. */
#include "unit.h"

#include "trap/connecting.h"

#include <arpa/inet.h>
#include <errno.h>
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

static void listen_somewhere(int backlog)
{
    int fd = new_socket();
    at.ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    equal(bind(fd, &at.any, sizeof at.ipv4), 0);
    equal(listen(fd, backlog), 0);
    equal(getsockname(fd, &at.any, &at_len), 0);
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
    listen_somewhere(5);
    int good = new_socket(), refused = new_socket(), taken = new_socket();
    allow_no_descriptor();
    struct answer answer = start(good);
    equal(answer.how, ANSWER_VALUE);
    equal(answer.value, 0);
    equal(bind(taken, &(struct sockaddr){.sa_family = AF_INET}, sizeof(struct sockaddr_in)), 0);
    equal(getsockname(taken, &at.any, &at_len), 0);
    at.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    equal(start(refused).value, -ECONNREFUSED);
}

TEST("another thread takes it where it can")
{
    listen_somewhere(5);
    equal(start(new_socket()).how, ANSWER_LATER);
}
