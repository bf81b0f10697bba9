/* What comes of a port server's answers: lease/portserver.h. */
#include "unit.h"

#include "error.h"
#include "lease/portserver.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { SOON = 50000, SHORT = 200 }; /* milliseconds, for a server that answers, and one that does not */

static char address[64];
static char request[64];
static char reply[100000];
static size_t reply_len;

/* A socket that listens at `address`. */
static int listening(int backlog)
{
    static unsigned count;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(address, sizeof address, "@portshim-unit-%d-%u", (int)getpid(), count++);
    strcpy(name.sun_path + 1, address + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address));
    check(bind(fd, (struct sockaddr *)&name, len) == 0 && listen(fd, backlog) == 0, "%s", strerror(errno));
    return fd;
}

/* A server of one client, which treats it so. */
static pid_t serve(void (*treat)(int client))
{
    int fd = listening(5);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        treat(accept(fd, NULL, NULL));
        _exit(0);
    }
    close(fd);
    return pid;
}

static void end(pid_t server)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

/* Reads a line; whether it is what is to be asked. */
static bool reads_request(int client)
{
    char text[sizeof request];
    size_t used = 0;
    while (used < sizeof text - 1 && read(client, text + used, 1) == 1 && text[used++] != '\n')
        ;
    text[used] = '\0';
    return strcmp(text, request) == 0;
}

/* Answers a good request in pieces. */
static void answer(int client)
{
    if (!reads_request(client))
        return;
    for (size_t sent = 0, len; sent < reply_len; sent += len) {
        len = 1 + below(40);
        len = len < reply_len - sent ? len : reply_len - sent;
        if (write(client, reply + sent, len) != (ssize_t)len)
            return;
    }
}

static void set_reply(const char *text)
{
    reply_len = strlen(text);
    memcpy(reply, text, reply_len);
}

static int ask(void)
{
    snprintf(request, sizeof request, "%d\n", (int)getpid());
    pid_t server = serve(answer);
    int port = portserver_ask(address, getpid(), SOON);
    end(server);
    return port;
}

/* A number of a port, blanks, and the end of the answer or of its line, within the first 63 bytes. */
static int expected(void)
{
    char line[64];
    size_t len = reply_len < 63 ? reply_len : 63;
    for (size_t i = 0; i < len; i++)
        line[i] = reply[i] != '\0' ? reply[i] : 'x';
    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
    size_t digits = strspn(line, "0123456789");
    unsigned long port = strtoul(line, NULL, 10);
    bool good =
        digits > 0 && line[digits + strspn(line + digits, " \r")] == '\0' && port >= 1 && port <= 65535;
    return good ? (int)port : PORTMAP_EREFUSED;
}

TEST("a random answer is a port when it is the number of one, and is refused otherwise")
{
    static const char *const pieces[] = {"8080", "0", "65535", "65536", "00443", "\n", "\n",  "\n",
                                         "\r\n", " ", "-1",    "x",     "port",  "\r", "\xff"};
    unsigned ports = 0;
    int lowest = dup(0);
    close(lowest);
    for (unsigned round = 0; round < 1000; round++) {
        reply_len = 0;
        for (unsigned i = below(5); i > 0; i--) {
            const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
            memcpy(reply + reply_len, piece, strlen(piece));
            reply_len += strlen(piece);
        }
        if (below(20) == 0)
            reply[reply_len++] = '\0';
        if (below(20) == 0) {
            memset(reply + reply_len, below(2) == 0 ? '0' : ' ', 100);
            reply_len += 100;
        }
        int port = ask();
        check(port == expected(), "%d, not %d, for \"%.*s\"", port, expected(), (int)reply_len, reply);
        ports += port > 0;
    }
    check(ports > 50, "%u", ports);
    equal(dup(0), lowest);
}

TEST("an empty answer, rubbish and one without end are refused")
{
    reply_len = 0;
    equal(ask(), PORTMAP_EREFUSED);
    memset(reply, '1', sizeof reply);
    reply_len = sizeof reply;
    equal(ask(), PORTMAP_EREFUSED);
    memset(reply, ' ', sizeof reply);
    equal(ask(), PORTMAP_EREFUSED);
    for (size_t i = 0; i < sizeof reply; i++)
        reply[i] = (char)(0x80 | random());
    equal(ask(), PORTMAP_EREFUSED);
}

static void hang_up(int client)
{
    close(client);
}

static void answer_unasked(int client)
{
    check(write(client, reply, reply_len) == (ssize_t)reply_len, "write");
}

/* All of it can be read at once. */
static void answer_at_once(int client)
{
    if (reads_request(client))
        answer_unasked(client);
}

TEST("a server that hangs up is no end of the program, and what it said before counts")
{
    for (unsigned round = 0; round < 50; round++) {
        pid_t server = serve(hang_up);
        equal(portserver_ask(address, getpid(), SOON), PORTMAP_EREFUSED);
        end(server);
        set_reply("8080\n");
        server = serve(answer_unasked);
        equal(portserver_ask(address, getpid(), SOON), 8080);
        end(server);
    }
}

static void answer_and_shut(int client)
{
    answer_unasked(client);
    shutdown(client, SHUT_RDWR);
    pause();
}

TEST("a server that answers without reading to the end has answered, and there is no SIGPIPE")
{
    static char line[1000000], text[64];
    memset(line, 'x', sizeof line - 1);
    set_reply("too long\n");
    pid_t server = serve(answer_and_shut);
    equal(portserver_talk(address, line, text, sizeof text, SOON), reply_len);
    equal_text(text, "too long\n");
    end(server);
}

static unsigned long long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

/* -ETIMEDOUT, neither sooner than that nor by far later. */
static void check_times_out(void)
{
    unsigned long long before = milliseconds();
    equal(portserver_ask(address, getpid(), SHORT), -ETIMEDOUT);
    unsigned long long took = milliseconds() - before;
    check(took >= SHORT && took < SOON, "%llu ms", took);
}

static void say_nothing(int client)
{
    (void)client;
    pause();
}

static void drip(int client)
{
    while (write(client, "0", 1) == 1)
        usleep(20000);
}

TEST("a server that says nothing, or has a full backlog, is waited for as long as allowed")
{
    pid_t server = serve(say_nothing);
    check_times_out();
    end(server);
    int fd = listening(0), waiting;
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &len);
    do
        waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    while (connect(waiting, (struct sockaddr *)&name, len) == 0);
    equal(errno, EAGAIN);
    check_times_out();
}

TEST("a server that drips has as long as one that is silent, all in all")
{
    pid_t server = serve(drip);
    check_times_out();
    end(server);
}

static void ignore_it(int signal)
{
    (void)signal;
}

static void answer_late(int client)
{
    if (!reads_request(client))
        return;
    for (size_t i = 0; i < reply_len; i++) {
        usleep(10000);
        check(write(client, reply + i, 1) == 1, "write");
    }
}

TEST("signals while the answer comes change nothing")
{
    struct itimerval often = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500};
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = ignore_it}, NULL);
    set_reply("43210\n");
    snprintf(request, sizeof request, "%d\n", (int)getpid());
    pid_t server = serve(answer_late);
    setitimer(ITIMER_REAL, &often, NULL);
    equal(portserver_ask(address, getpid(), SOON), 43210);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    end(server);
}

TEST("nobody at an address, no such socket, and what is no address, are told apart")
{
    char none[64], empty[] = "", at[] = "@", longest[200];
    close(listening(1));
    snprintf(none, sizeof none, "/tmp/portshim-unit-%d/none", (int)getpid());
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    equal(portserver_ask(address, getpid(), SOON), -ECONNREFUSED);
    equal(portserver_ask(none, getpid(), SOON), -ENOENT);
    equal(portserver_ask(empty, getpid(), SOON), -EINVAL);
    equal(portserver_ask(at, getpid(), SOON), -EINVAL);
    equal(portserver_ask(longest, getpid(), SOON), -ENAMETOOLONG);
}

TEST("a port is given back when the server says ok, in these letters")
{
    static const struct {
        const char *reply;
        int result;
    } answers[] = {{"ok\n", 0},
                   {"ok\nmore\n", PORTMAP_EREFUSED},
                   {"", PORTMAP_EREFUSED},
                   {"ok", PORTMAP_EREFUSED},
                   {"8080\n", PORTMAP_EREFUSED}};
    for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
        unsigned port = 1 + below(65535);
        snprintf(request, sizeof request, "release %u\n", port);
        set_reply(answers[i].reply);
        pid_t server = serve(answer_at_once);
        int result = portserver_release(address, port, SOON);
        check(result == answers[i].result, "%d for \"%s\"", result, reply);
        end(server);
    }
}

TEST("all that a server says is read, as far as the buffer goes")
{
    for (unsigned round = 0; round < 100; round++) {
        static char text[5000];
        unsigned size = 1 + below(sizeof text - 1);
        reply_len = below(sizeof text);
        for (size_t i = 0; i < reply_len; i++)
            reply[i] = (char)below(256);
        snprintf(request, sizeof request, "status\n");
        text[size] = '#';
        pid_t server = serve(answer);
        int len = portserver_talk(address, "status\n", text, size, SOON);
        end(server);
        equal(len, reply_len < size ? reply_len : size - 1);
        check(memcmp(text, reply, (size_t)len) == 0 && text[len] == '\0' && text[size] == '#', "%d bytes",
              len);
    }
}

TEST("a server outside of the pid namespace cannot tell whom it leases for")
{
    int status;
    set_reply("8080\n");
    snprintf(request, sizeof request, "1\n");
    pid_t server = serve(answer);
    bool may = unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
    pid_t inside = may ? fork() : -1;
    if (inside == 0)
        _exit(portserver_ask(address, getpid(), SOON) == PORTMAP_ENAMESPACE ? 0 : 1);
    if (may)
        check(waitpid(inside, &status, 0) == inside && status == 0, "not refused");
    end(server);
}
