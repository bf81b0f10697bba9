/*
 * A trapped program that means harm: its threads make the trapped calls with arguments of all kinds, while
 * others change the memory that the calls read, close and replace the descriptors, and end in the middle of
 * calls. Prints "done" after so many seconds. Afterwards a well-behaved program must be served as before.
 *
 *     hostile_trapped SECONDS
 *
 * Linked statically.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, PAGES = 8, PAGE = 4096, FIRST = 20, DESCRIPTORS = 40 };

static char *memory;
static volatile int over;
static int is_child;

static const long calls[] = {SYS_bind,    SYS_listen,   SYS_connect,  SYS_getsockname, SYS_getpeername, SYS_sendto,
                             SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg,     SYS_recvmmsg};

static unsigned below(unsigned *seed, unsigned n)
{
    return (unsigned)rand_r(seed) % n;
}

/* A pointer into the memory, mostly; else a bad one. */
static long pointer(unsigned *seed)
{
    switch (below(seed, 12)) {
    case 0:
        return 0;
    case 1:
        return -(long)below(seed, 100);
    case 2:
        return (long)memory + PAGES * PAGE - below(seed, 32);
    default:
        return (long)memory + below(seed, PAGES * PAGE);
    }
}

static long number(unsigned *seed)
{
    static const long some[] = {0, 1, 2, 3, 4, 8, 16, 24, 28, 56, 128, 256, 1024, 65536, INT32_MAX, -1, UINT32_MAX, INT64_MAX};
    return some[below(seed, sizeof some / sizeof *some)];
}

/* Structures that make some sense, at a place in the memory. */
static void write_something(unsigned *seed)
{
    char *at = memory + below(seed, PAGES * PAGE - 512) / 8 * 8;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(8080 + below(seed, 3)))};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(8080)};
    struct iovec iov = {(void *)pointer(seed), (size_t)number(seed)};
    struct mmsghdr message = {{(void *)pointer(seed), (socklen_t)number(seed), (void *)pointer(seed), (size_t)number(seed),
                               (void *)pointer(seed), (size_t)number(seed), 0},
                              0};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    switch (below(seed, 5)) {
    case 0:
        memcpy(at, &in, sizeof in);
        break;
    case 1:
        memcpy(at, &in6, sizeof in6);
        break;
    case 2:
        memcpy(at, &iov, sizeof iov);
        break;
    case 3:
        memcpy(at, &message, sizeof message);
        break;
    default:
        for (unsigned i = 0; i < 64; i++)
            at[i] = (char)rand_r(seed);
    }
}

static void change_descriptor(unsigned *seed)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK};
    int at = FIRST + (int)below(seed, DESCRIPTORS);
    int type = (below(seed, 2) ? SOCK_STREAM : SOCK_DGRAM) | (below(seed, 8) ? SOCK_NONBLOCK : 0);
    int fd = below(seed, 8) ? socket(families[below(seed, 4)], type, 0) : open("/dev/null", O_RDWR);
    if (fd >= 0 && below(seed, 4))
        dup2(fd, at);
    else
        close(at);
    if (fd >= 0)
        close(fd);
}

static void change_memory(unsigned *seed)
{
    char *page = memory + below(seed, PAGES) * PAGE;
    switch (below(seed, 6)) {
    case 0:
        mprotect(page, PAGE, PROT_NONE);
        break;
    case 1:
        mprotect(page, PAGE, PROT_READ);
        break;
    default: /* writes may fault otherwise */
        mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
}

static void on_fault(int signal)
{
    (void)signal;
    syscall(is_child ? SYS_exit : SYS_exit_group, 0); /* a child is to crash, now and then */
}

static void *work(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    int fd;
    while (!over) {
        fd = FIRST + (int)below(&seed, DESCRIPTORS);
        if (below(&seed, 4) == 0)
            change_descriptor(&seed);
        if (below(&seed, 16) == 0)
            change_memory(&seed);
        if (below(&seed, 2) == 0)
            write_something(&seed);
        syscall(calls[below(&seed, sizeof calls / sizeof *calls)], (long)fd, pointer(&seed),
                below(&seed, 2) ? 16 : number(&seed), below(&seed, 2) ? MSG_DONTWAIT : number(&seed), pointer(&seed),
                below(&seed, 2) ? 16 : number(&seed));
    }
    return NULL;
}

/* One process of it, which ends when it is over, or earlier, in whatever its threads do. */
static void go_wild(unsigned seed, unsigned milliseconds)
{
    struct timespec pause = {.tv_nsec = 1000000L * milliseconds};
    pthread_t threads[THREADS];
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    is_child = 1;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(seed * THREADS + i + 1));
    nanosleep(&pause, NULL);
    if (seed % 3 == 0)
        kill(getpid(), SIGKILL);
    over = 1;
    _exit(0); /* threads may wait in calls */
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    for (unsigned seed = 1; time(NULL) < end; seed++) {
        pid_t pid = fork();
        if (pid == 0)
            go_wild(seed, 20 + seed % 60);
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            return 1;
    }
    puts("done");
    return 0;
}
