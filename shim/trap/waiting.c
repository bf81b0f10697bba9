#include "trap/waiting.h"

#include "trap/images.h"
#include "trap/remote.h"
#include "trap/status.h"
#include "trap/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 256, MOST_EVENTS = 64 };

/* How the kernel itself says that a signal interrupts a call, which is made again if the signal has no
 * handler or one with SA_RESTART. It is not shown to programs: whoever takes a signal never sees it. */
enum { RESTART = 512 /* ERESTARTSYS, include/linux/errno.h */ };

#define MILLISECOND INT64_C(1000000)
static const int64_t first_look = 10 * MILLISECOND, longest_look = 100 * MILLISECOND;

struct waiting {
    int64_t limit;       /* SO_RCVTIMEO or SO_SNDTIMEO in nanoseconds; 0: none */
    int64_t deadline;    /* of that limit */
    int64_t look, pause; /* when to look for signals next, and how long after the last look */
    struct attempt attempt;
    struct call call;
    int life; /* a pidfd of the thread, or of its group (trap/threads.h); -1: none could be had */
    bool is_used;
    bool was_looked_at;
    bool was_traced;  /* then */
    bool is_doubtful; /* the last look has seen a signal that another thread may take */
};

static struct waiting table[MOST];
static unsigned used;  /* places of it */
static int ready = -1; /* an epoll(7) of their sockets and pidfds, edge-triggered */

int64_t waiting_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

bool waiting_may(int socket, int flags)
{
    return (flags & MSG_DONTWAIT) == 0 && (fcntl(socket, F_GETFL) & O_NONBLOCK) == 0;
}

static int64_t limit_of(const struct attempt *attempt)
{
    struct timeval limit = {0};
    socklen_t len = sizeof limit;
    getsockopt(attempt->socket, SOL_SOCKET, attempt->events == POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO, &limit,
               &len);
    return limit.tv_sec * INT64_C(1000000000) + limit.tv_usec * INT64_C(1000);
}

static void set_deadline(struct waiting *w, int64_t now)
{
    w->deadline = w->limit == 0 || now > INT64_MAX - w->limit ? INT64_MAX : now + w->limit;
}

static struct waiting *free_place(void)
{
    struct waiting *w = table;
    while (w < table + MOST && w->is_used)
        w++;
    return w < table + MOST ? w : NULL;
}

static bool watch(int fd, uint32_t events, uint64_t id)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = id};
    if (ready < 0)
        ready = epoll_create1(EPOLL_CLOEXEC);
    return ready >= 0 && epoll_ctl(ready, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Other duplicates stay open, so that closing one does not take it from the epoll. */
static void let_go(int fd)
{
    epoll_ctl(ready, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
}

/* The duplicate keeps the socket open, and its port bound, when the thread has ended. */
static int watch_life(const struct call *call)
{
    const struct thread *thread = threads_find(call->thread);
    int life = thread != NULL ? fcntl(thread->pidfd, F_DUPFD_CLOEXEC, 0) : -1;
    if (life >= 0 && !watch(life, EPOLLIN, call->id)) {
        close(life);
        life = -1;
    }
    return life;
}

static bool add(const struct attempt *attempt)
{
    struct waiting *w = free_place();
    uint32_t events = (uint32_t)attempt->events | (attempt->events == POLLIN ? EPOLLRDHUP : 0);
    if (w == NULL || !watch(attempt->socket, events, attempt->call->id))
        return false;
    int64_t now = waiting_clock();
    *w = (struct waiting){.attempt = *attempt,
                          .call = *attempt->call,
                          .life = watch_life(attempt->call),
                          .limit = limit_of(attempt),
                          .look = now + first_look,
                          .pause = first_look,
                          .is_used = true};
    w->attempt.call = &w->call;
    set_deadline(w, now);
    used++;
    return true;
}

/* The answer to a call that is not made any further. The kernel may receive in our place, but what it sends
 * would go to the placeholder's own number: then the call fails with `error`. */
static struct answer broken_off(const struct attempt *attempt, int error)
{
    if (attempt->done > 0)
        return answer_value(attempt->done);
    return attempt->events == POLLIN ? CONTINUE_CALL : answer_value(-error);
}

struct answer waiting_make(struct attempt *attempt)
{
    struct answer answer = attempt->make(attempt);
    if (answer.how == ANSWER_LATER && add(attempt))
        return answer;
    close(attempt->socket);
    return answer.how == ANSWER_LATER ? broken_off(attempt, ENOBUFS) : answer;
}

static void drop(struct waiting *w)
{
    let_go(w->attempt.socket);
    if (w->life >= 0)
        let_go(w->life);
    w->is_used = false;
    used--;
}

/* Closes the duplicate first: a program that has its answer may close its socket and bind the port again. */
static void finish(struct waiting *w, struct answer answer)
{
    const struct call call = w->call;
    drop(w);
    remote_answer(&call, answer);
}

/* Goes on with a call. If it would still have to wait, it waits on, unless `otherwise` is another answer. */
static void try_again(struct waiting *w, struct answer otherwise)
{
    unsigned done = w->attempt.done;
    if (!remote_waits(&w->call)) {
        drop(w);
        return;
    }
    w->attempt.view = image_view(&w->call);
    struct answer answer = w->attempt.make(&w->attempt);
    if (answer.how == ANSWER_LATER && otherwise.how != ANSWER_LATER)
        answer = w->attempt.done > 0 ? answer_value(w->attempt.done) : otherwise;
    if (answer.how != ANSWER_LATER)
        finish(w, answer);
    else if (w->attempt.done != done)
        set_deadline(w, waiting_clock()); /* it holds for each message */
}

/* Whether the first thread of this group waits here as well. */
static bool first_thread_waits(pid_t group)
{
    for (const struct waiting *w = table; w < table + MOST; w++)
        if (w->is_used && w->call.thread == group)
            return true;
    return false;
}

static struct answer interrupted(const struct waiting *w)
{
    if (w->attempt.done > 0)
        return answer_value(w->attempt.done);
    return answer_value(w->limit != 0 ? -EINTR : -RESTART); /* as sock_intr_errno() */
}

static enum interruption ask(struct waiting *w, const struct status *status)
{
    if (!w->was_looked_at)
        w->was_traced = status->tracer != 0;
    w->was_looked_at = true;
    return status_interruption(w->call.thread, status, w->was_traced);
}

/*
 * Of a signal to the whole group nobody tells which thread the kernel has chosen to take it. If no thread has
 * taken it by the second look, the chosen one probably waits here, and the first thread is preferred. Then
 * the kernel makes the call: it ends at once in the chosen thread, and waits in any other.
 */
static void look(struct waiting *w, int64_t now)
{
    struct status status;
    if (!remote_waits(&w->call)) {
        drop(w);
        return;
    }
    bool is_known = status_read(w->call.thread, &status); /* else, without /proc, nothing can be ruled out */
    enum interruption what = is_known ? ask(w, &status) : INTERRUPTION_POSSIBLE;
    bool is_anothers = is_known && w->call.thread != status.group && first_thread_waits(status.group);
    if (what == INTERRUPTION_CERTAIN) {
        finish(w, interrupted(w));
    } else if (what == INTERRUPTION_POSSIBLE && w->is_doubtful && !is_anothers) {
        finish(w, broken_off(&w->attempt, EINTR));
    } else {
        w->is_doubtful = what == INTERRUPTION_POSSIBLE;
        w->pause = 2 * w->pause < longest_look ? 2 * w->pause : longest_look;
        w->look = now + (w->is_doubtful ? first_look : w->pause);
    }
}

int waiting_descriptor(void)
{
    return ready;
}

int waiting_timeout(void)
{
    int64_t next = INT64_MAX;
    unsigned left_to_see = used; /* this is asked at every call: the first places are taken first */
    if (used == 0)
        return -1;
    for (const struct waiting *w = table; left_to_see > 0; w++)
        if (w->is_used) {
            next = w->look < next ? w->look : next;
            next = w->deadline < next ? w->deadline : next;
            left_to_see--;
        }
    int64_t left = next - waiting_clock();
    return left <= 0 ? 0 : (int)((left + MILLISECOND - 1) / MILLISECOND);
}

static void work_what_is_ready(void)
{
    struct epoll_event events[MOST_EVENTS];
    int count = ready >= 0 ? epoll_wait(ready, events, MOST_EVENTS, 0) : 0;
    for (int i = 0; i < count; i++) {
        struct waiting *w = table;
        while (w < table + MOST && !(w->is_used && w->call.id == events[i].data.u64))
            w++;
        /* Where nothing more can come (shutdown(2)), a call that does not wait says EAGAIN, and one that does
         * ends: the kernel knows how. */
        if (w < table + MOST)
            try_again(w, (events[i].events & EPOLLRDHUP) != 0 ? CONTINUE_CALL : ANSWERED_LATER);
    }
}

void waiting_work(void)
{
    work_what_is_ready();
    int64_t now = waiting_clock();
    for (struct waiting *w = table; w < table + MOST && used > 0; w++) {
        if (w->is_used && now >= w->deadline)
            try_again(w, answer_value(-EAGAIN));
        if (w->is_used && now >= w->look)
            look(w, now);
    }
}
