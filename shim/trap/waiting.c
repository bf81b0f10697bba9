#include "trap/waiting.h"

#include "trap/images.h"
#include "trap/remote.h"
#include "trap/status.h"

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
    bool is_used;
    bool was_traced;
    bool is_doubtful; /* the last look has seen a signal that another thread may take */
};

static struct waiting table[MOST];
static unsigned used;  /* places of it */
static int ready = -1; /* an epoll(7) of their sockets, edge-triggered */

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

static bool watch(const struct waiting *w)
{
    struct epoll_event event = {.events = (uint32_t)w->attempt.events | EPOLLET, .data.u64 = w->call.id};
    if (ready < 0)
        ready = epoll_create1(EPOLL_CLOEXEC);
    return ready >= 0 && epoll_ctl(ready, EPOLL_CTL_ADD, w->attempt.socket, &event) == 0;
}

/* Without /proc nobody could tell that the thread has a signal to take: the call must not wait here. */
static bool add(const struct attempt *attempt)
{
    struct waiting *w = free_place();
    struct status status;
    if (w == NULL || !status_read(attempt->call->thread, &status))
        return false;
    int64_t now = waiting_clock();
    *w = (struct waiting){.attempt = *attempt,
                          .call = *attempt->call,
                          .limit = limit_of(attempt),
                          .look = now + first_look,
                          .pause = first_look,
                          .was_traced = status.tracer != 0};
    w->attempt.call = &w->call;
    set_deadline(w, now);
    w->is_used = watch(w);
    used += w->is_used;
    return w->is_used;
}

/* The answer to a call that is not made any further; CONTINUE_CALL when nothing of it was made. */
static struct answer broken_off(const struct attempt *attempt)
{
    return attempt->done > 0 ? answer_value(attempt->done) : CONTINUE_CALL;
}

struct answer waiting_make(struct attempt *attempt)
{
    struct answer answer = attempt->make(attempt);
    if (answer.how == ANSWER_LATER && add(attempt))
        return answer;
    close(attempt->socket);
    return answer.how == ANSWER_LATER ? broken_off(attempt) : answer;
}

/* Closing a duplicate does not take it from the epoll: the program still has the socket. */
static void drop(struct waiting *w)
{
    epoll_ctl(ready, EPOLL_CTL_DEL, w->attempt.socket, NULL);
    close(w->attempt.socket);
    w->is_used = false;
    used--;
}

static void finish(struct waiting *w, struct answer answer)
{
    remote_answer(&w->call, answer);
    drop(w);
}

static void try_again(struct waiting *w)
{
    unsigned done = w->attempt.done;
    if (!remote_waits(&w->call)) {
        drop(w);
        return;
    }
    w->attempt.view = image_view(&w->call);
    struct answer answer = w->attempt.make(&w->attempt);
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
    enum interruption what = INTERRUPTION_POSSIBLE;
    bool is_known = status_read(w->call.thread, &status);
    if (is_known)
        what = status_interruption(w->call.thread, &status, w->was_traced);
    bool is_anothers = is_known && w->call.thread != status.group && first_thread_waits(status.group);
    if (what == INTERRUPTION_CERTAIN) {
        finish(w, interrupted(w));
    } else if (what == INTERRUPTION_POSSIBLE && w->is_doubtful && !is_anothers) {
        finish(w, broken_off(&w->attempt));
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
    if (used == 0)
        return -1;
    for (const struct waiting *w = table; w < table + MOST; w++)
        if (w->is_used) {
            next = w->look < next ? w->look : next;
            next = w->deadline < next ? w->deadline : next;
        }
    int64_t left = next - waiting_clock();
    return left <= 0 ? 0 : (int)((left + MILLISECOND - 1) / MILLISECOND);
}

static void work_what_is_ready(void)
{
    struct epoll_event events[MOST_EVENTS];
    int count = ready >= 0 ? epoll_wait(ready, events, MOST_EVENTS, 0) : 0;
    for (int i = 0; i < count; i++)
        for (struct waiting *w = table; w < table + MOST; w++)
            if (w->is_used && w->call.id == events[i].data.u64) {
                try_again(w);
                break;
            }
}

void waiting_work(void)
{
    work_what_is_ready();
    int64_t now = waiting_clock();
    for (struct waiting *w = table; w < table + MOST; w++) {
        if (w->is_used && now >= w->deadline)
            finish(w, w->attempt.done > 0 ? answer_value(w->attempt.done) : answer_value(-EAGAIN));
        if (w->is_used && now >= w->look)
            look(w, now);
    }
}
