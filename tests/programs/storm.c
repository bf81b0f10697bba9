/*
 * storm ROUNDS SERVER FREE: binds, listens and connects so many times while a timer fires every 50
 * microseconds, its handler set with SA_RESTART. No call may fail, nor give a wrong address. Prints what did,
 * and how often the timer fired.
 */
#include "show.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t fired;
static unsigned wrong;

static void count(int signal)
{
    (void)signal;
    fired++;
}

static void check(const char *what, int result)
{
    if (result >= 0)
        return;
    printf("%s: %s\n", what, strerror(errno));
    wrong++;
}

static void check_port(const char *what, int (*ask)(int, struct sockaddr *, socklen_t *), int fd,
                       unsigned port)
{
    union name name;
    socklen_t len = sizeof name;
    memset(&name, 0, sizeof name);
    check(what, ask(fd, &name.any, &len));
    if (ntohs(name.ipv4.sin_port) != port || len != sizeof name.ipv4) {
        printf("%s: port %u, length %u\n", what, ntohs(name.ipv4.sin_port), len);
        wrong++;
    }
}

/* Takes connections, in a thread that gets no signals, and keeps each until the client has reset it. */
static void *serve(void *listener)
{
    char byte;
    for (;;) {
        int fd = accept(*(int *)listener, NULL, NULL);
        if (fd >= 0 && read(fd, &byte, 1) <= 0)
            close(fd);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int rounds = atoi(argv[1]), on = 1, listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    unsigned server = (unsigned)atoi(argv[2]), spare = (unsigned)atoi(argv[3]);
    union name to, own;
    socklen_t len = make_name(&to, "127.0.0.1", server);
    make_name(&own, "127.0.0.1", spare);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(listener, &to.any, len), "bind");
    must(listen(listener, 1024), "listen");

    sigset_t alarm;
    pthread_t thread;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, NULL);
    pthread_create(&thread, NULL, serve, &listener);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 50}, {0, 50}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);

    for (int i = 0; i < rounds && wrong < 20; i++) {
        int type = i % 2 == 0 ? SOCK_STREAM : SOCK_DGRAM;
        int fd = must(socket(AF_INET, type, 0), "socket");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        check("bind", bind(fd, &own.any, len));
        check_port("getsockname", getsockname, fd, spare);
        check("connect", connect(fd, &to.any, len));
        check_port("getpeername", getpeername, fd, server);
        reset(fd);
        if (type == SOCK_STREAM)
            continue;
        fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        check("bind", bind(fd, &own.any, len));
        check("listen", listen(fd, 1));
        reset(fd);
    }
    printf("%s, and the timer fired %s\n", wrong == 0 ? "nothing went wrong" : "wrong",
           fired > rounds / 10 ? "often" : "seldom");
    fflush(stdout);
    _exit(wrong != 0);
}
