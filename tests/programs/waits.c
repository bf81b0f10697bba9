/*
 * waits PORT PORT: what ends a call that waits for a datagram, and what does not: signals with and without
 * handlers, time limits, being stopped, errors, the end of a socket. When it is trapped, both ports are
 * placeholders.
 */
#include "asleep.h"
#include "calls.h"
#include "show.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { MOST = 4, PATIENCE_MS = ASLEEP_PATIENCE_MS };

static unsigned port, other_port;
static union name to, from;
static volatile sig_atomic_t taken;

static void take(int number)
{
    (void)number;
    taken++;
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_handler = take, .sa_flags = flags};
    sigaction(number, &action, NULL);
    taken = 0;
}

static int bound(union name *name, unsigned at)
{
    socklen_t len = make_name(name, "127.0.0.1", at);
    int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    must(bind(fd, (struct sockaddr *)name, len), "bind");
    return fd;
}

static void limit(int fd, long ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), "SO_RCVTIMEO");
}

/* What has been received: the bytes, and the sources. */
struct got {
    long result;
    char bytes[MOST];
    union name sources[MOST];
};

/* Receives by one of the calls. */
static void get(struct got *got, int fd, int way, int flags)
{
    struct iovec parts[MOST];
    struct mmsghdr messages[MOST];
    socklen_t len = sizeof *got->sources;
    memset(got, 0, sizeof *got);
    for (int i = 0; i < MOST; i++) {
        parts[i] = (struct iovec){&got->bytes[i], 1};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &got->sources[i],
                                                   .msg_namelen = sizeof *got->sources,
                                                   .msg_iov = &parts[i],
                                                   .msg_iovlen = 1}};
    }
    if (way == 0)
        got->result = recvfrom(fd, got->bytes, 1, flags, (struct sockaddr *)got->sources, &len);
    else if (way == 1)
        got->result = recvmsg(fd, &messages[0].msg_hdr, flags);
    else
        got->result = recvmmsg(fd, messages, way, flags, NULL);
}

/* Prints the result, or errno, and the sources. */
static void show_got(const struct got *got, int way)
{
    flockfile(stdout); /* two threads may be here */
    show_result(got->result);
    for (int i = 0; i < (way < 2 ? 1 : (int)got->result) && got->result > 0; i++) {
        printf(" %c from", got->bytes[i] != 0 ? got->bytes[i] : '-');
        show_name(&got->sources[i]);
    }
    funlockfile(stdout);
}

static void receive(int fd, int way, int flags)
{
    struct got got;
    get(&got, fd, way, flags);
    show_got(&got, way);
}

static int has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Receives what this child sends. If the time limit is over before it has sent, again. */
static void receive_of(pid_t pid, int fd, int way)
{
    struct got got;
    int had_sent;
    do {
        had_sent = has_ended(pid);
        get(&got, fd, way, 0);
    } while (got.result < 0 && errno == EAGAIN && !had_sent);
    show_got(&got, way);
}

/* A child that does something to this process once that sleeps in its call. */
static pid_t child(void (*act)(pid_t parent, int fd), int fd)
{
    fflush(stdout);
    pid_t parent = getpid(), pid = must(fork(), "fork");
    if (pid == 0) {
        until_asleep(parent);
        act(parent, fd);
        _exit(0);
    }
    return pid;
}

static void end(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf(", taken %d, child %d\n", (int)taken, status);
}

static void send_one(int fd, char byte)
{
    must((int)sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, sizeof to.ipv4), "sendto");
}

static void signal_it(pid_t parent, int fd)
{
    (void)fd;
    kill(parent, SIGUSR1);
}

static void signal_and_send(pid_t parent, int fd)
{
    kill(parent, SIGUSR1);
    usleep(250000);
    send_one(fd, 's');
}

static void stop_and_send(pid_t parent, int fd)
{
    kill(parent, SIGSTOP);
    long began = asleep_milliseconds();
    while (asleep_state(parent) != 'T' && asleep_milliseconds() < began + PATIENCE_MS)
        usleep(1000);
    if (asleep_state(parent) != 'T')
        _exit(1);
    kill(parent, SIGCONT);
    usleep(200000);
    send_one(fd, 'c');
}

static void send_first(pid_t parent, int fd)
{
    (void)parent;
    send_one(fd, 'a');
}

static void send_two(pid_t parent, int fd)
{
    send_one(fd, 'a');
    usleep(50000);
    send_one(fd, 'b');
    usleep(200000);
    kill(parent, SIGUSR1);
}

static void shut(pid_t parent, int fd)
{
    (void)parent;
    shutdown(fd, SHUT_RD);
}

static const char *const ways[] = {"recvfrom", "recvmsg", "recvmmsg"};

/* What does not end a call. */
static void undisturbed(int way, int server, int client)
{
    sigset_t set;
    printf("%s, a handler with SA_RESTART:", ways[way]);
    handle(SIGUSR1, SA_RESTART);
    pid_t pid = child(signal_and_send, client);
    receive(server, way, 0);
    end(pid);

    printf("%s, an ignored signal:", ways[way]);
    signal(SIGUSR1, SIG_IGN);
    taken = 0;
    pid = child(signal_and_send, client);
    receive(server, way, 0);
    end(pid);

    printf("%s, a blocked signal:", ways[way]);
    handle(SIGUSR1, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid = child(signal_and_send, client);
    receive(server, way, 0);
    end(pid);
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    printf("%s, stopped:", ways[way]);
    handle(SIGUSR1, 0);
    pid = child(stop_and_send, client);
    receive(server, way, 0);
    end(pid);
}

static void interrupted(int way, int server, int client)
{
    printf("%s, a handler:", ways[way]);
    handle(SIGUSR1, 0);
    pid_t pid = child(signal_it, client);
    receive(server, way, 0);
    end(pid);

    limit(server, PATIENCE_MS);
    printf("%s, a time limit and a handler with SA_RESTART:", ways[way]);
    handle(SIGUSR1, SA_RESTART);
    pid = child(signal_it, client);
    receive(server, way, 0);
    end(pid);

    printf("%s, a time limit, stopped:", ways[way]);
    pid = child(stop_and_send, client);
    receive(server, way, 0);
    end(pid);
    receive(server, 0, 0);

    limit(server, 150);
    long began = asleep_milliseconds();
    printf("%s, the end of a time limit:", ways[way]);
    receive(server, way, 0);
    long took = asleep_milliseconds() - began;
    printf(" %s\n", took >= 150 && took < PATIENCE_MS ? "in time" : "not in time");
    limit(server, 0);

    printf("%s, not blocking:", ways[way]);
    receive(server, way, MSG_DONTWAIT);
    receive(server, way, MSG_ERRQUEUE);
    putchar('\n');
}

/* recvmmsg() that gets some of its messages. */
static void vectors(void)
{
    int server = bound(&to, port), client = bound(&from, other_port), error;
    socklen_t len = sizeof error;
    handle(SIGUSR1, 0);
    printf("recvmmsg of three, two come, then a signal:");
    pid_t pid = child(send_two, client);
    receive(server, 3, 0);
    end(pid);
    /* The kernel may have noted the signal on the socket, as an error without a name. */
    getsockopt(server, SOL_SOCKET, SO_ERROR, &error, &len);
    printf("and with MSG_WAITFORONE:");
    pid = child(send_first, client);
    receive(server, 3, MSG_WAITFORONE);
    end(pid);
    limit(server, 1000);
    printf("and with a time limit:");
    pid = child(send_first, client);
    receive_of(pid, server, 3);
    end(pid);
    close(server);
    close(client);
}

static void ends(void)
{
    int server = bound(&to, port), client = bound(&from, other_port);
    must(connect(server, (struct sockaddr *)&from, sizeof from.ipv4), "connect");
    printf("shut down:");
    taken = 0;
    pid_t pid = child(shut, server);
    receive(server, 0, 0);
    receive(server, 1, 0);
    receive(server, 3, 0);
    receive(server, 0, MSG_DONTWAIT);
    end(pid);
    close(server);
    close(client);
    server = bound(&to, port);
    make_name(&from, "127.0.0.1", other_port);
    must(connect(server, (struct sockaddr *)&from, sizeof from.ipv4), "connect");
    printf("refused:");
    must((int)send(server, "x", 1, 0), "send");
    receive(server, 0, 0);
    must((int)send(server, "x", 1, 0), "send");
    receive(server, 1, 0);
    must((int)send(server, "x", 1, 0), "send");
    receive(server, 3, 0);
    putchar('\n');
    close(server);
}

static int server_of_thread;
static pid_t thread_number;
static pthread_barrier_t together;

static void *receive_in_thread(void *none)
{
    thread_number = (pid_t)syscall(SYS_gettid);
    pthread_barrier_wait(&together);
    receive(server_of_thread, 0, 0);
    return none;
}

static void *receive_undisturbed(void *none)
{
    sigset_t set;
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return receive_in_thread(none);
}

static void threads(void)
{
    int client = bound(&from, other_port);
    pthread_t thread;
    sigset_t set, old;
    server_of_thread = bound(&to, port);
    pthread_barrier_init(&together, NULL, 2);

    printf("a signal to the thread:");
    handle(SIGUSR1, 0);
    pthread_create(&thread, NULL, receive_in_thread, NULL);
    pthread_barrier_wait(&together);
    until_asleep(thread_number);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    printf(", taken %d\n", (int)taken);

    printf("a signal to all, which this thread alone can take:");
    handle(SIGUSR1, 0);
    pthread_create(&thread, NULL, receive_in_thread, NULL);
    pthread_barrier_wait(&together);
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    until_asleep(thread_number);
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    printf(", taken %d\n", (int)taken);

    printf("a signal to all, which another thread takes:");
    handle(SIGUSR1, 0);
    pthread_create(&thread, NULL, receive_undisturbed, NULL);
    pthread_barrier_wait(&together);
    until_asleep(thread_number);
    kill(getpid(), SIGUSR1);
    usleep(200000);
    send_one(client, 't');
    pthread_join(thread, NULL);
    printf(", taken %d\n", (int)taken);

    printf("a signal to all, the first thread waits:");
    handle(SIGUSR1, 0);
    pthread_create(&thread, NULL, receive_undisturbed, NULL);
    pthread_barrier_wait(&together);
    until_asleep(thread_number);
    pid_t pid = child(signal_it, client);
    receive(server_of_thread, 0, 0); /* is interrupted */
    usleep(200000);
    send_one(client, 's'); /* for the other thread, which waits on */
    pthread_join(thread, NULL);
    end(pid);
    close(server_of_thread);
    close(client);
}

/* A group with threads that sleep is stopped and goes on: its parent is told. */
static void stop_group(void)
{
    int status, client = bound(&from, other_port);
    server_of_thread = bound(&to, port);
    fflush(stdout);
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        pthread_t thread;
        pthread_barrier_init(&together, NULL, 2);
        pthread_create(&thread, NULL, receive_in_thread, NULL);
        pthread_barrier_wait(&together);
        receive(server_of_thread, 0, 0);
        pthread_join(thread, NULL);
        fflush(stdout);
        _exit(0);
    }
    until_asleep(pid);
    kill(pid, SIGSTOP);
    printf("stopped group:");
    show_result(waitpid(pid, &status, WUNTRACED) == pid);
    printf(" %x", (unsigned)status);
    kill(pid, SIGCONT);
    show_result(waitpid(pid, &status, WCONTINUED) == pid);
    printf(" %x\n", (unsigned)status);
    fflush(stdout);
    send_one(client, 'g');
    send_one(client, 'g');
    waitpid(pid, &status, 0);
    printf(" %x\n", (unsigned)status);
    fflush(stdout);
    pid = must(fork(), "fork");
    if (pid == 0) {
        receive(server_of_thread, 0, 0);
        _exit(0);
    }
    until_asleep(pid);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    printf("ended by a signal: %x\n", (unsigned)status);
    close(server_of_thread);
    close(client);
}

/* A port is free as soon as the process that waited there has ended. */
static void end_and_bind(void)
{
    int failed = 0, status;
    for (int i = 0; i < 10; i++) {
        fflush(stdout);
        pid_t pid = must(fork(), "fork");
        if (pid == 0) {
            receive(bound(&to, port), 0, 0);
            _exit(0);
        }
        until_asleep(pid);
        kill(pid, i % 2 == 0 ? SIGKILL : SIGTERM);
        waitpid(pid, &status, 0);
        socklen_t len = make_name(&to, "127.0.0.1", port);
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
        failed += bind(fd, &to.any, len) != 0;
        close(fd);
    }
    printf("bound in vain: %d\n", failed);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    port = (unsigned)atoi(argv[1]);
    other_port = (unsigned)atoi(argv[2]);
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    alarm(120);
    int server = bound(&to, port), client = bound(&from, other_port);
    for (int way = 0; way < 2; way++)
        undisturbed(way, server, client);
    for (int way = 0; way < 3; way++)
        interrupted(way, server, client);
    close(server);
    close(client);
    vectors();
    ends();
    threads();
    stop_group();
    end_and_bind();
    return 0;
}
