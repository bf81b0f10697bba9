/*
 * Binds many ports in places where that is hard, and prints how many succeeded.
 *
 * late thread FIRST COUNT: in a thread with the smallest stack and a pending cancellation, as
 * bind(2) is no cancellation point. late jail DIRECTORY FIRST COUNT: as root with DIRECTORY as its root. late
 * refused FIRST LAST: with no descriptor left, those before LAST; then prints what sendmsg(2) and sendmmsg(2) to
 * LAST say.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 64, SMALLEST_STACK = 16384 };

static int sockets[MOST], first, count, bound;

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void *bind_all(void *arguments)
{
    (void)arguments;
    for (bound = 0; bound < count; bound++) {
        struct sockaddr_in address = loopback(first + bound);
        if (bind(sockets[bound], (struct sockaddr *)&address, sizeof address) < 0)
            break;
    }
    return NULL;
}

static void *bind_all_cancelled(void *arguments)
{
    pthread_cancel(pthread_self());
    return bind_all(arguments);
}

static void in_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *result;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SMALLEST_STACK);
    pthread_create(&thread, &attributes, bind_all_cancelled, NULL);
    pthread_join(thread, &result);
    printf("%d%s\n", bound, result == PTHREAD_CANCELED ? ", cancelled" : "");
}

static void refused(int last)
{
    struct sockaddr_in address = loopback(last);
    struct iovec bytes = {.iov_base = "x", .iov_len = 1};
    struct mmsghdr message = {
        .msg_hdr = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &bytes, .msg_iovlen = 1}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
    bind_all(NULL);
    printf("%s\n", bound < count ? strerror(errno) : "all bound");
    printf("%s\n", sendmsg(fd, &message.msg_hdr, 0) < 0 ? strerror(errno) : "sent");
    printf("%s\n", sendmmsg(fd, &message, 1, 0) < 0 ? strerror(errno) : "sent");
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    first = atoi(argv[argc - 2]);
    count = atoi(argv[argc - 1]);
    for (int i = 0; i < MOST; i++)
        sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (strcmp(argv[1], "thread") == 0) {
        in_thread();
    } else if (strcmp(argv[1], "jail") == 0) {
        if (chroot(argv[2]) < 0 || chdir("/") < 0)
            return 2;
        bind_all(NULL);
        printf("%d\n", bound);
    } else {
        int last = count;
        count = last - first;
        refused(last);
    }
    return 0;
}
