#include "trap/connecting.h"

#include "trap/remote.h"
#include "trap/status.h"
#include "trap/waiting.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

enum { THREADS = 16, JOBS = 2048, STACK = 64 * 1024 };

struct job {
    struct call call;
    union address to;
    socklen_t len;
    int fd;
};

/* A ring: jobs[first % JOBS] to jobs[(first + count - 1) % JOBS]. */
static struct job jobs[JOBS];
static unsigned first, count, threads, idle;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_filled = PTHREAD_COND_INITIALIZER;

/* connect(2) that waits as short as the kernel can: for one tick of its clock. 0 or a negated errno. *limit
 * is the socket's own time limit in milliseconds, 0 when it has none. */
static int connect_briefly(const struct job *job, int64_t *limit)
{
    struct timeval before, least = {.tv_usec = 1};
    socklen_t size = sizeof before;
    *limit = 0;
    if (getsockopt(job->fd, SOL_SOCKET, SO_SNDTIMEO, &before, &size) < 0 ||
        setsockopt(job->fd, SOL_SOCKET, SO_SNDTIMEO, &least, sizeof least) < 0)
        return -errno;
    int result = connect(job->fd, &job->to.any, job->len) == 0 ? 0 : -errno;
    setsockopt(job->fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof before);
    *limit = before.tv_sec * INT64_C(1000) + (before.tv_usec + 999) / 1000;
    return result;
}

/* Whether a signal has come that ends the call; it has no restart, as the socket has a time limit
 * (sock_intr_errno()). */
static bool is_interrupted(const struct call *call)
{
    struct status status;
    return status_read(call->thread, &status) &&
           status_interruption(call->thread, &status, false) != INTERRUPTION_NONE;
}

/*
 * Waits for a connection on a socket with a time limit. The kernel must not go on with this one: when the
 * time is over it would say EALREADY, not EINPROGRESS, as for it this is the second call of connect(2).
 */
static struct answer wait_limited(const struct job *job, int64_t limit)
{
    enum { LOOK = 20 /* milliseconds */ };
    for (int64_t end = waiting_clock() / 1000000 + limit, left;
         (left = end - waiting_clock() / 1000000) > 0;) {
        struct pollfd ready = {.fd = job->fd, .events = POLLOUT};
        int64_t none;
        if (poll(&ready, 1, (int)(left < LOOK ? left : LOOK)) > 0)
            return answer_value(connect_briefly(job, &none));
        if (!remote_waits(&job->call) || is_interrupted(&job->call))
            return answer_value(-EINTR);
    }
    return answer_value(-EINPROGRESS);
}

/* Makes a call as far as it goes without waiting for a server. *limit is 0 unless it is -EINPROGRESS and the
 * socket has that time limit. */
static int begin(const struct job *job, int64_t *limit)
{
    int result = connect_briefly(job, limit);
    if (result != -EINPROGRESS)
        *limit = 0;
    return result;
}

static struct answer answer_of(int result)
{
    return result == -EINPROGRESS || result == -EALREADY ? CONTINUE_CALL : answer_value(result);
}

static void *work(void *none);

/* With the lock held. */
static void add_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, work, NULL) == 0)
        threads++;
    pthread_attr_destroy(&attributes);
}

/* A thread that will wait for its call alone is not counted, so that another one takes its place, which calls
 * that came meanwhile may need already. False when there is nobody to take them. */
static bool leave_work(void)
{
    pthread_mutex_lock(&lock);
    if (count > idle && threads <= THREADS)
        add_thread();
    bool good = count == 0 || threads > 1;
    threads -= good;
    pthread_mutex_unlock(&lock);
    return good;
}

static void return_to_work(void)
{
    pthread_mutex_lock(&lock);
    threads++;
    pthread_mutex_unlock(&lock);
}

static void make(const struct job *job)
{
    int64_t limit;
    struct answer answer = answer_of(begin(job, &limit));
    if (limit > 0 && leave_work()) {
        answer = wait_limited(job, limit);
        return_to_work();
    }
    close(job->fd); /* first: a program that has its answer may close the socket and bind its port again */
    remote_answer(&job->call, answer);
}

/* A thread that takes a call sees to it that there is one for the next: the supervisor's own thread, for
 * which all programs wait, makes only the first. */
static void *work(void *none)
{
    (void)none;
    pthread_mutex_lock(&lock);
    for (;;) {
        idle++;
        while (count == 0)
            pthread_cond_wait(&is_filled, &lock);
        idle--;
        struct job job = jobs[first % JOBS];
        first++;
        count--;
        if (count > idle && threads < THREADS)
            add_thread();
        pthread_mutex_unlock(&lock);
        make(&job);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

/* Each waiting call holds a descriptor. They are not to take more than half of those that this process may
 * have. */
static unsigned most_jobs(void)
{
    struct rlimit files;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 2 < JOBS ? (unsigned)files.rlim_cur / 2
                                                                              : JOBS;
}

static bool leave_to_threads(const struct job *job)
{
    bool good = false;
    pthread_mutex_lock(&lock);
    if (threads == 0)
        add_thread();
    if (count < most_jobs() && threads > 0) {
        jobs[(first + count) % JOBS] = *job;
        count++;
        good = true;
        pthread_cond_signal(&is_filled);
    }
    pthread_mutex_unlock(&lock);
    return good;
}

struct answer connecting_start(const struct call *call, int fd, const union address *to, socklen_t len)
{
    const struct job job = {.call = *call, .fd = fd, .to = *to, .len = len};
    int64_t limit;
    if (leave_to_threads(&job))
        return ANSWERED_LATER;
    struct answer answer = answer_of(begin(&job, &limit));
    close(fd);
    return answer;
}
