/*
 * full_queue PORT: sends more than the network takes at once, from a socket with a small buffer, and prints
 * which calls wait, fail or are interrupted. The network passes two messages at once, and then one each 120
 * ms. When it is trapped, the port is a placeholder.
 */
#include "show.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

enum { COUNT = 6, SIZE = 60000 };

static char bytes[SIZE];
static union name to;
static socklen_t name_len;
static int client;

static void take(int number)
{
    (void)number;
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void limit(long ms)
{
    struct timeval time = {.tv_usec = ms * 1000};
    must(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time), "SO_SNDTIMEO");
}

/* Waits until the network has passed everything on. */
static void calm(void)
{
    usleep(COUNT * 130 * 1000);
}

static void send_some(const char *what, int count, int flags)
{
    printf("%s:", what);
    for (int i = 0; i < count; i++)
        show_result(sendto(client, bytes, SIZE, flags, &to.any, name_len));
    putchar('\n');
}

static void send_vector(const char *what, int flags)
{
    struct iovec part = {bytes, SIZE};
    struct mmsghdr messages[COUNT];
    for (int i = 0; i < COUNT; i++)
        messages[i] = (struct mmsghdr){
            .msg_hdr = {.msg_name = &to, .msg_namelen = name_len, .msg_iov = &part, .msg_iovlen = 1}};
    printf("%s:", what);
    show_result(sendmmsg(client, messages, COUNT, flags));
    for (int i = 0; i < COUNT; i++)
        printf(" %u", messages[i].msg_len);
    putchar('\n');
}

int main(int argc, char **argv)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    const struct sigaction action = {.sa_handler = take};
    int small = 1 << 16, large = 1 << 22;
    if (argc != 2)
        return 2;
    name_len = make_name(&to, "127.0.0.1", (unsigned)atoi(argv[1]));
    int server = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    client = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    must(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "SO_SNDBUF");
    must(setsockopt(server, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large), "SO_RCVBUFFORCE");
    must(bind(server, &to.any, name_len), "bind");
    long began = milliseconds();
    send_some("waiting", COUNT, 0);
    printf("%s\n", milliseconds() - began >= 100 ? "it took a while" : "at once");
    calm();
    send_some("not waiting", COUNT, MSG_DONTWAIT);
    calm();
    limit(20);
    send_some("waiting no longer than that", COUNT, 0);
    calm();
    limit(180); /* when it ends, there is a little room, but not enough to be woken for that before */
    send_some("waiting longer", COUNT, 0);
    limit(0);
    calm();
    send_vector("a vector, waiting", 0);
    calm();
    send_vector("a vector, not waiting", MSG_DONTWAIT);
    calm();
    sigaction(SIGALRM, &action, NULL);
    send_some("before a signal", 4, MSG_DONTWAIT);
    setitimer(ITIMER_REAL, &soon, NULL);
    send_some("interrupted", 1, 0);
    calm();
    int received = 0;
    while (recv(server, bytes, SIZE, MSG_DONTWAIT) > 0)
        received++;
    printf("received %d\n", received);
    return 0;
}
