/*
 * backlog THREADS SERVER FREE: so many threads make blocking connects to a listener that has no room for
 * another connection. The main thread binds 500 times before, 500 times while they begin, and 500 times while
 * all wait. Prints how many connects still wait afterwards, and whether a bind usually took much longer
 * meanwhile than before; on stderr how long the binds took.
 */
#include "show.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { BINDS = 500, STACK = 64 << 10 };

static union name to;
static socklen_t len;
static atomic_int begun, ended;

static void *wait_in_connect(void *unused)
{
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    begun++;
    if (connect(fd, &to.any, len) != 0)
        fprintf(stderr, "connect: %s\n", strerror(errno));
    ended++;
    close(fd);
    return unused;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill(void)
{
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(bind(fd, &to.any, len), "bind");
    must(listen(fd, 0), "listen");
    for (int i = 0; i < 3; i++) {
        fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
        connect(fd, &to.any, len);
    }
}

/* Whether a thread waits for an answer about its call (seccomp_unotify(2)). */
static int any_is_asked_for(void)
{
    DIR *threads = opendir("/proc/self/task");
    int found = 0;
    for (struct dirent *entry; !found && threads != NULL && (entry = readdir(threads)) != NULL;) {
        char path[300], place[100] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/wchan", entry->d_name);
        int fd = open(path, O_RDONLY);
        found = fd >= 0 && read(fd, place, sizeof place - 1) > 0 && strncmp(place, "seccomp", 7) == 0;
        close(fd);
    }
    closedir(threads);
    return found;
}

/* Binds often, prints on stderr how long that took, and returns how long it usually took, in microseconds. */
static double bind_often(const char *when, const union name *own)
{
    static double took[BINDS];
    for (int i = 0; i < BINDS; i++) {
        int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
        double before = now();
        must(bind(fd, &own->any, len), "bind");
        took[i] = now() - before;
        close(fd);
    }
    qsort(took, BINDS, sizeof *took, compare);
    fprintf(stderr, "bind %s: %.0f us, 99 of 100 at most %.0f us, the longest %.0f us\n",
            when, took[BINDS / 2], took[BINDS * 99 / 100], took[BINDS - 1]);
    return took[BINDS / 2];
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int threads = atoi(argv[1]);
    pthread_attr_t small;
    union name own;
    len = make_name(&to, "127.0.0.1", (unsigned)atoi(argv[2]));
    make_name(&own, "127.0.0.1", (unsigned)atoi(argv[3]));
    fill();
    double before = bind_often("before the connects", &own);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    for (int i = 0; i < threads; i++) {
        pthread_t thread;
        must(-pthread_create(&thread, &small, wait_in_connect, NULL), "pthread_create");
    }
    double first = bind_often("while the connects begin", &own);
    double limit = before * 10 > 1000 ? before * 10 : 1000; /* a busy machine has less time for this one */
    while (begun < threads || any_is_asked_for())
        usleep(1000);
    double then = bind_often("while the connects wait", &own);
    printf("%d connects wait, %d have ended, the usual bind took %s\n", threads - ended, (int)ended,
           first < limit && then < limit ? "less than 1 ms, or ten times as long as before" : "longer");
    fflush(stdout);
    _exit(0);
}
