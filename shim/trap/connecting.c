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

enum { THREADS = 64, JOBS = 2048, STACK = 64 * 1024 };

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

static struct answer make(const struct job *job)
{
    int64_t limit = 0;
    int result = connect_briefly(job, &limit);
    struct answer answer = answer_value(result);
    if (result == -EINPROGRESS && limit > 0)
        answer = wait_limited(job, limit);
    else if (result == -EINPROGRESS || result == -EALREADY)
        answer = CONTINUE_CALL;
    close(job->fd);
    return answer;
}

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
        pthread_mutex_unlock(&lock);
        remote_answer(&job.call, make(&job));
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

/* False when there is no thread at all. */
static bool have_threads(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (idle > count || threads == THREADS)
        return true;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, work, NULL) == 0)
        threads++;
    pthread_attr_destroy(&attributes);
    return threads > 0;
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
    if (count < most_jobs() && have_threads()) {
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
    return leave_to_threads(&job) ? ANSWERED_LATER : make(&job);
}
