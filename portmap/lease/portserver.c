#include "lease/portserver.h"

#include "base/kernel.h"
#include "base/portbits.h"
#include "base/text.h"
#include "base/unix_address.h"
#include "error.h"
#include "host/process.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Limits the following calls on the socket to the time until the deadline; false when that is over. */
static bool limit(int fd, int option, uint64_t deadline)
{
    uint64_t now = process_clock(), left = now < deadline ? (deadline - now) / 1000 : 0;
    struct timeval time = {.tv_sec = (time_t)(left / 1000000), .tv_usec = (suseconds_t)(left % 1000000)};
    /* A timeout of 0 would mean no limit. */
    return left > 0 && setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) == 0;
}

/* The error to return when a call failed; 0 to try it again. */
static int verdict(int error)
{
    if (error == EINTR)
        return 0;
    return error == EAGAIN ? -ETIMEDOUT : -error;
}

/* On a unix socket, connect(2) waits while the backlog is full. */
static int connect_until(int fd, const char *name, uint64_t deadline)
{
    struct sockaddr_un address;
    socklen_t len;
    int error = unix_address_parse(name, &address, &len);
    while (error == 0) {
        if (!limit(fd, SO_SNDTIMEO, deadline))
            return -ETIMEDOUT;
        int failed = kernel_connect(fd, (struct sockaddr *)&address, len);
        if (failed == 0)
            return 0;
        error = verdict(-failed);
    }
    return error;
}

static int send_until(int fd, const char *bytes, size_t len, uint64_t deadline)
{
    while (len > 0) {
        if (!limit(fd, SO_SNDTIMEO, deadline))
            return -ETIMEDOUT;
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && verdict(errno) != 0)
            return verdict(errno);
        bytes += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

/* Reads up to the end, or size - 1 bytes, or with `line` up to the first newline. */
static int read_until(int fd, char *answer, unsigned size, bool line, uint64_t deadline)
{
    unsigned used = 0;
    while (used < size - 1) {
        if (!limit(fd, SO_RCVTIMEO, deadline))
            return -ETIMEDOUT;
        ssize_t got = read(fd, answer + used, size - 1 - used);
        if (got < 0 && verdict(errno) != 0)
            return verdict(errno);
        if (got == 0)
            break;
        used += got > 0 ? (unsigned)got : 0;
        if (line && memchr(answer, '\n', used) != NULL)
            break;
    }
    answer[used] = '\0';
    return (int)used;
}

/* Whether the server is outside of our pid namespace, where our pids mean other processes: to us, the process
 * that made the socket listen then has pid 0. */
static bool is_elsewhere(int fd)
{
    struct ucred server;
    socklen_t len = sizeof server;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &len) == 0 && server.pid == 0;
}

static int converse(int fd, const char *address, const char *request, char *answer, unsigned size, bool line,
                    uint64_t deadline)
{
    int error = connect_until(fd, address, deadline);
    if (error == 0 && is_elsewhere(fd))
        error = PORTMAP_ENAMESPACE;
    if (error == 0)
        error = send_until(fd, request, strlen(request), deadline);
    /* After EPIPE too there may be an answer: the server may have closed before it had read everything. */
    if (error != 0 && error != -EPIPE)
        return error;
    error = read_until(fd, answer, size, line, deadline);
    return error == -ECONNRESET ? PORTMAP_EREFUSED : error;
}

static int talk(const char *address, const char *request, char *answer, unsigned size, bool line,
                unsigned milliseconds)
{
    uint64_t deadline = process_clock() + (uint64_t)milliseconds * 1000000;
    int fd = kernel_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    int result = converse(fd, address, request, answer, size, line, deadline);
    close(fd);
    return result;
}

int portserver_talk(const char *address, const char *line, char *answer, unsigned size, unsigned milliseconds)
{
    return talk(address, line, answer, size, false, milliseconds);
}

/* The port that an answer of `len` bytes is, from `at` on; PORTMAP_EREFUSED when it is none. */
static int read_port(const char *answer, int len, size_t from)
{
    uint64_t port;
    const char *at = answer + from, *end = answer + len;
    bool is_port = text_take_uint(&at, end, PORT_COUNT - 1, &port) && port != 0;
    while (at < end && (*at == '\r' || *at == ' '))
        at++;
    return is_port && (at == end || *at == '\n') ? (int)port : PORTMAP_EREFUSED;
}

int portserver_ask(const char *address, pid_t pid, unsigned milliseconds)
{
    char request[16], answer[64];
    struct text t = text_in(request, sizeof request);
    text_uint(&t, (uint64_t)pid);
    text_char(&t, '\n');
    int len = talk(address, request, answer, sizeof answer, true, milliseconds);
    return len < 0 ? len : read_port(answer, len, 0);
}

int portserver_ask_number(const char *address, pid_t pid, uint32_t number, unsigned *port,
                          unsigned milliseconds)
{
    static const char leased[] = "leased ", taken[] = "taken ";
    char request[32], answer[64];
    struct text t = text_in(request, sizeof request);
    text_uint(&t, (uint64_t)pid);
    text_char(&t, ' ');
    text_uint(&t, number);
    text_char(&t, '\n');
    int len = talk(address, request, answer, sizeof answer, true, milliseconds);
    if (len < 0)
        return len;
    bool is_taken = strncmp(answer, taken, sizeof taken - 1) == 0;
    if (!is_taken && strncmp(answer, leased, sizeof leased - 1) != 0)
        return PORTMAP_EREFUSED;
    int result = read_port(answer, len, is_taken ? sizeof taken - 1 : sizeof leased - 1);
    if (result < 0)
        return result;
    *port = (unsigned)result;
    return is_taken ? PORTMAP_EHELD : 0;
}

int portserver_release(const char *address, unsigned port, unsigned milliseconds)
{
    char request[32], answer[64];
    struct text t = text_in(request, sizeof request);
    text_str(&t, "release ");
    text_uint(&t, port);
    text_char(&t, '\n');
    int len = talk(address, request, answer, sizeof answer, true, milliseconds);
    if (len < 0)
        return len;
    return strcmp(answer, "ok\n") == 0 ? 0 : PORTMAP_EREFUSED;
}
