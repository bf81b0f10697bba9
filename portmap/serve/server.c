#include "serve/server.h"

#include "host/process.h"
#include "serve/leases.h"
#include "serve/log.h"
#include "serve/request.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define REQUEST_TIME (5 * SECOND)

enum { MOST_CONNECTIONS = 4096, ACCEPTED_AT_ONCE = 64, EVENTS = 256 };

/* RESERVED_DESCRIPTORS is for the server's own descriptors and those that answering a request opens. */
enum { RESERVED_DESCRIPTORS = 24, FEWEST_CONNECTIONS = 4 };

/* The high half of an event's data says what the event is about, the low half its number. */
#define TAG_LISTENER (UINT64_C(1) << 32)
#define TAG_SIGNAL (UINT64_C(2) << 32)
#define TAG_CONNECTION (UINT64_C(3) << 32)
#define TAG_PROCESS (UINT64_C(4) << 32)
#define TAG_MASK (~UINT64_C(0) << 32)

enum { NONE = -1 };

struct connection {
    int fd;
    struct ucred peer;
    uint64_t deadline; /* process_clock() */
    unsigned used;
    bool peeked;                         /* the request's last part is still in the socket */
    char request[SERVE_REQUEST_MAX + 2]; /* with its newline and a '\0' */
    int older, newer;                    /* neighbours in the order of deadlines */
};

struct server {
    struct serve_state state;
    int epoll, listener, signals;
    bool stop;
    unsigned most, most_of_a_user; /* connections at once */
    struct connection connections[MOST_CONNECTIONS];
    int oldest, newest;
    int unused; /* a list through `older` */
    uint64_t next_tick;
};

static void unlink_connection(struct server *s, int number)
{
    struct connection *c = &s->connections[number];
    if (c->older != NONE)
        s->connections[c->older].newer = c->newer;
    else
        s->oldest = c->newer;
    if (c->newer != NONE)
        s->connections[c->newer].older = c->older;
    else
        s->newest = c->older;
}

static void end_connection(struct server *s, int number)
{
    unlink_connection(s, number);
    close(s->connections[number].fd);
    s->connections[number].older = s->unused;
    s->unused = number;
    s->state.connections--;
}

static void give_up(struct server *s, int number, unsigned long *count, const char *why)
{
    const struct ucred *peer = &s->connections[number].peer;
    ++*count;
    serve_log(SERVE_LOG_VERBOSE, "process %d of user %u: %s", (int)peer->pid, peer->uid, why);
    end_connection(s, number);
}

/* The oldest connection, or the oldest of user *of where `of` is not NULL. */
static int oldest_of(const struct server *s, const uid_t *of)
{
    int number = s->oldest;
    while (of != NULL && s->connections[number].peer.uid != *of)
        number = s->connections[number].newer;
    return number;
}

static unsigned connections_of(const struct server *s, uid_t uid)
{
    unsigned count = 0;
    for (int number = s->oldest; number != NONE; number = s->connections[number].newer)
        count += s->connections[number].peer.uid == uid;
    return count;
}

/* Closes the oldest connections where there is no room for one more of that user. */
static void make_room(struct server *s, uid_t uid)
{
    static const char why[] = "too many connections, the oldest is closed";
    if (s->state.connections >= s->most_of_a_user && connections_of(s, uid) >= s->most_of_a_user)
        give_up(s, oldest_of(s, &uid), &s->state.refused.too_slow, why);
    if (s->state.connections >= s->most)
        give_up(s, oldest_of(s, NULL), &s->state.refused.too_slow, why);
}

static int enter_connection(struct server *s, int fd)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    make_room(s, peer.uid);
    int number = s->unused;
    struct connection *c = &s->connections[number];
    s->unused = c->older;
    *c = (struct connection){.fd = fd,
                             .peer = peer,
                             .deadline = process_clock() + REQUEST_TIME,
                             .older = s->newest,
                             .newer = NONE};
    if (s->newest != NONE)
        s->connections[s->newest].newer = number;
    else
        s->oldest = number;
    s->newest = number;
    s->state.connections++;
    s->state.connections_total++;
    serve_log(SERVE_LOG_DEBUG, "process %d of user %u connects", (int)peer.pid, peer.uid);
    return number;
}

/* Releases the leased port again where the client cannot be told of it. */
static void answer(struct server *s, int number)
{
    struct connection *c = &s->connections[number];
    char text[SERVE_ANSWER_SIZE];
    unsigned port;
    unsigned len = serve_request(&s->state, c->request, &c->peer, text, &port);
    bool sent = len == 0 || send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
    if (!sent && port != 0)
        serve_leases_release(s->state.leases, port, 0);
    /* Closing a socket with something unread would be a reset, in place of the answer's end. */
    if (c->peeked)
        recv(c->fd, text, c->used, MSG_DONTWAIT);
    end_connection(s, number);
}

/* Receives more of the request; -1 when nothing has arrived. A request that arrives whole is only looked at:
 * taking it from the socket would wake a client that waits for the answer, in vain. */
static ssize_t receive(struct connection *c)
{
    char *rest = c->request + c->used;
    size_t room = sizeof c->request - 1 - c->used;
    ssize_t got = recv(c->fd, rest, room, MSG_DONTWAIT | MSG_PEEK);
    c->peeked = got > 0 && memchr(rest, '\n', (size_t)got) != NULL;
    return c->peeked ? got : recv(c->fd, rest, room, MSG_DONTWAIT);
}

/* Reads what has arrived, and answers a complete request. True when the connection stays open for more. */
static bool read_request(struct server *s, int number)
{
    struct connection *c = &s->connections[number];
    ssize_t got = receive(c);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    c->used += got > 0 ? (unsigned)got : 0;
    char *newline = memchr(c->request, '\n', c->used);
    if (newline == NULL && c->used > SERVE_REQUEST_MAX) {
        give_up(s, number, &s->state.refused.too_long, "the request is too long");
        return false;
    }
    if (newline == NULL && got > 0)
        return true;
    if (newline == NULL && c->used == 0) {
        end_connection(s, number);
        return false;
    }
    c->request[newline != NULL ? (unsigned)(newline - c->request) : c->used] = '\0';
    if (newline > c->request && newline[-1] == '\r')
        newline[-1] = '\0';
    answer(s, number);
    return false;
}

/* Reads at once, as most requests arrive with their connection, and asks epoll only for the rest. */
static void serve_new(struct server *s, int fd)
{
    int number = enter_connection(s, fd);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_CONNECTION | (unsigned)number};
    if (read_request(s, number) && epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        end_connection(s, number);
}

/* Sets what epoll reports about the listener: EPOLLIN, or 0 for nothing. */
static void listen_for(const struct server *s, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = TAG_LISTENER};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, s->listener, &event);
}

static void accept_some(struct server *s)
{
    for (unsigned i = 0; i < ACCEPTED_AT_ONCE; i++) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_new(s, fd);
        } else if ((errno == EMFILE || errno == ENFILE) && s->oldest != NONE) {
            give_up(s, s->oldest, &s->state.refused.too_slow, "no descriptor is left");
        } else {
            if (errno == EMFILE || errno == ENFILE)
                listen_for(s, 0); /* until the next tick: epoll would report it without end */
            break;
        }
    }
}

static void end_overdue(struct server *s, uint64_t now)
{
    while (s->oldest != NONE && s->connections[s->oldest].deadline <= now)
        give_up(s, s->oldest, &s->state.refused.too_slow, "the request does not come");
}

static void log_statistics(const struct server *s)
{
    char text[SERVE_ANSWER_SIZE], *rest;
    serve_statistics(&s->state, text, sizeof text);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        serve_log(SERVE_LOG_NOTICE, "%s", line);
}

static void take_signal(struct server *s)
{
    struct signalfd_siginfo signal;
    while (read(s->signals, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGUSR1)
            log_statistics(s);
        else
            s->stop = true;
    }
}

static void take_event(struct server *s, uint64_t data)
{
    uint32_t number = (uint32_t)data;
    uint64_t tag = data & TAG_MASK;
    if (tag == TAG_LISTENER)
        accept_some(s);
    else if (tag == TAG_SIGNAL)
        take_signal(s);
    else if (tag == TAG_CONNECTION)
        read_request(s, (int)number);
    else
        serve_leases_ended(s->state.leases, number);
}

static int milliseconds_until(uint64_t then, uint64_t now)
{
    return then <= now ? 0 : (int)((then - now) / 1000000 + 1);
}

/*
 * Takes deaths first and new connections last. A lease or connection made earlier in the batch could reuse
 * the number that a later event of the batch means.
 */
static void take_events(struct server *s, const struct epoll_event *events, int count)
{
    static const uint64_t order[] = {TAG_PROCESS, TAG_SIGNAL, TAG_CONNECTION, TAG_LISTENER};
    for (unsigned turn = 0; turn < sizeof order / sizeof *order; turn++)
        for (int i = 0; i < count; i++)
            if ((events[i].data.u64 & TAG_MASK) == order[turn])
                take_event(s, events[i].data.u64);
}

static void run(struct server *s)
{
    struct epoll_event events[EVENTS];
    while (!s->stop) {
        uint64_t now = process_clock(), wake = s->next_tick;
        if (s->oldest != NONE && s->connections[s->oldest].deadline < wake)
            wake = s->connections[s->oldest].deadline;
        int count = epoll_wait(s->epoll, events, EVENTS, milliseconds_until(wake, now));
        take_events(s, events, count);
        now = process_clock();
        end_overdue(s, now);
        if (now >= s->next_tick) {
            serve_leases_tick(s->state.leases);
            listen_for(s, EPOLLIN);
            s->next_tick = now + SECOND;
        }
    }
}

static int add(const struct server *s, int fd, uint64_t tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_signals(struct server *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* the server goes on when nobody reads its log any more */
    s->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signals < 0 ? -errno : add(s, s->signals, TAG_SIGNAL);
}

/* Each connection and each process with leases takes a descriptor. Limits connections to half of them, so
 * that silent clients do not use up those that answering a request needs. */
static void share_descriptors(struct server *s)
{
    struct rlimit limit;
    s->most = MOST_CONNECTIONS;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < 2 * (MOST_CONNECTIONS + RESERVED_DESCRIPTORS))
            s->most = (unsigned)limit.rlim_cur / 2 > RESERVED_DESCRIPTORS + FEWEST_CONNECTIONS
                          ? (unsigned)limit.rlim_cur / 2 - RESERVED_DESCRIPTORS
                          : FEWEST_CONNECTIONS;
    }
    s->most_of_a_user = s->most / 4;
}

static int open_server(struct server *s, const struct serve_settings *settings,
                       const struct serve_listener *listener)
{
    s->state.address = settings->address;
    s->state.started = process_clock();
    s->listener = listener->fd;
    s->oldest = s->newest = s->unused = NONE;
    for (int number = MOST_CONNECTIONS - 1; number >= 0; number--) {
        s->connections[number].older = s->unused;
        s->unused = number;
    }
    share_descriptors(s);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0)
        return -errno;
    int error = open_signals(s);
    if (error == 0)
        error = serve_leases_open(&s->state.leases, settings->home, settings->pool, settings->cap, s->epoll,
                                  TAG_PROCESS);
    return error == 0 ? add(s, s->listener, TAG_LISTENER) : error;
}

/* Leaves the stderr that the daemon shares with the process that started it, then tells that it serves. */
static void tell_ready(int ready)
{
    int nothing = ready >= 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (nothing >= 0)
        dup2(nothing, STDERR_FILENO);
    if (nothing >= 0)
        close(nothing);
    if (ready >= 0 && write(ready, "", 1) == 1)
        close(ready);
}

int serve(const struct serve_settings *settings, const struct serve_listener *listener)
{
    static struct server server;
    struct server *s = &server;
    int error = open_server(s, settings, listener);
    if (error != 0)
        return error;
    tell_ready(settings->ready);
    serve_log(SERVE_LOG_NOTICE, "serving %u ports on %s", settings->pool->count, settings->address);
    run(s);
    log_statistics(s);
    return 0;
}
