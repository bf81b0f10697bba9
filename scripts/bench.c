/*
 * For scripts/bench: runs a loop of socket calls on 127.0.0.1:PORT and prints the nanoseconds of processor
 * time, user and system, for each round. Other programs disturb processor time less than elapsed time.
 *
 *     bench bind|name|peer|datagram|connect|stream|read|ppid PORT ROUNDS [stack|bss|heap]
 *
 * The last word says where in memory name and datagram keep the addresses, and their lengths, for the calls.
 *
 *     bench trip PORT ROUNDS
 *
 * prints three medians of elapsed nanoseconds, measured in turn: of a bind(2) of the port, of a getsockname(2)
 * after it, and of a byte's way to another process and back by a pair of sockets.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address = {.sin_family = AF_INET};

/* The addresses that are passed to the calls. */
struct names {
    struct sockaddr_in to, from;
    socklen_t len;
};
static struct names in_bss, *elsewhere;

static int must(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(EXIT_FAILURE);
    }
    return (int)result;
}

static int server(int type)
{
    int fd = must(socket(AF_INET, type, 0), "socket"), on = 1;
    if (type == SOCK_STREAM)
        must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
    must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    if (type == SOCK_STREAM)
        must(listen(fd, 16), "listen");
    return fd;
}

static void connect_once(int listener, int *client, int *accepted)
{
    *client = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    must(connect(*client, (struct sockaddr *)&address, sizeof address), "connect");
    *accepted = must(accept(listener, NULL, NULL), "accept");
}

static void measure_bind(long rounds)
{
    while (rounds-- > 0)
        close(server(SOCK_DGRAM));
}

static void measure_name(long rounds)
{
    struct names on_stack, *names = elsewhere != NULL ? elsewhere : &on_stack;
    int fd = server(SOCK_DGRAM);
    while (rounds-- > 0) {
        names->len = sizeof names->from;
        must(getsockname(fd, (struct sockaddr *)&names->from, &names->len), "getsockname");
    }
}

static void measure_datagram(long rounds)
{
    struct names on_stack, *names = elsewhere != NULL ? elsewhere : &on_stack;
    int fd = server(SOCK_DGRAM);
    char byte = 0;
    names->to = address;
    while (rounds-- > 0) {
        names->len = sizeof names->from;
        must(sendto(fd, &byte, 1, 0, (struct sockaddr *)&names->to, sizeof names->to), "sendto");
        must(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&names->from, &names->len), "recvfrom");
    }
}

static void measure_connect(long rounds)
{
    int listener = server(SOCK_STREAM);
    while (rounds-- > 0) {
        int client, accepted;
        connect_once(listener, &client, &accepted);
        /* Close with a reset, which leaves no port in TIME_WAIT: a long loop would use up the host's ports. */
        struct linger now = {.l_onoff = 1};
        must(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now), "setsockopt");
        close(client);
        close(accepted);
    }
}

static void measure_stream(long rounds)
{
    int client, accepted;
    char byte = 0;
    connect_once(server(SOCK_STREAM), &client, &accepted);
    while (rounds-- > 0) {
        must(write(client, &byte, 1), "write");
        must(read(accepted, &byte, 1), "read");
    }
}

static void measure_peer(long rounds)
{
    int client, accepted;
    connect_once(server(SOCK_STREAM), &client, &accepted);
    while (rounds-- > 0) {
        struct sockaddr_in name;
        socklen_t len = sizeof name;
        must(getpeername(client, (struct sockaddr *)&name, &len), "getpeername");
    }
}

/* Calls that have nothing to do with ports. */
static void measure_read(long rounds)
{
    int fd = must(open("/dev/zero", O_RDONLY), "/dev/zero");
    char byte;
    while (rounds-- > 0)
        must(read(fd, &byte, 1), "read");
}

static void measure_ppid(long rounds)
{
    while (rounds-- > 0)
        getppid();
}

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* A process that sends back each byte that it gets. Returns the socket to talk to it. */
static int echo(void)
{
    int pair[2];
    char byte;
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    if (must(fork(), "fork") == 0) {
        close(pair[0]);
        while (read(pair[1], &byte, 1) == 1 && write(pair[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    close(pair[1]);
    return pair[0];
}

static int is_larger(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double median(uint64_t *times, long count)
{
    qsort(times, (size_t)count, sizeof *times, is_larger);
    return (double)times[count / 2];
}

static void measure_trips(long rounds)
{
    uint64_t *times[3];
    int other = echo();
    for (unsigned i = 0; i < 3; i++)
        times[i] = calloc((size_t)rounds, sizeof *times[i]);
    for (long i = 0; i < rounds; i++) {
        struct sockaddr_in name;
        socklen_t len = sizeof name;
        char byte = 0;
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
        uint64_t begin = now(CLOCK_MONOTONIC);
        must(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
        uint64_t bound = now(CLOCK_MONOTONIC);
        must(getsockname(fd, (struct sockaddr *)&name, &len), "getsockname");
        uint64_t named = now(CLOCK_MONOTONIC);
        must(write(other, &byte, 1), "write");
        must(read(other, &byte, 1), "read");
        uint64_t end = now(CLOCK_MONOTONIC);
        times[0][i] = bound - begin;
        times[1][i] = named - bound;
        times[2][i] = end - named;
        close(fd);
    }
    printf("%.0f %.0f %.0f\n", median(times[0], rounds), median(times[1], rounds), median(times[2], rounds));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(long);
    } loops[] = {{"bind", measure_bind},
                 {"name", measure_name},
                 {"peer", measure_peer},
                 {"datagram", measure_datagram},
                 {"connect", measure_connect},
                 {"stream", measure_stream},
                 {"read", measure_read},
                 {"ppid", measure_ppid}};
    if (argc < 4)
        return EXIT_FAILURE;
    if (argc > 4 && strcmp(argv[4], "stack") != 0)
        elsewhere = strcmp(argv[4], "bss") == 0 ? &in_bss : malloc(sizeof *elsewhere);
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long rounds = atol(argv[3]);
    if (strcmp(argv[1], "trip") == 0) {
        measure_trips(rounds);
        return EXIT_SUCCESS;
    }
    for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (strcmp(argv[1], loops[i].name) != 0)
            continue;
        uint64_t begin = now(CLOCK_PROCESS_CPUTIME_ID);
        loops[i].measure(rounds);
        printf("%.1f\n", (double)(now(CLOCK_PROCESS_CPUTIME_ID) - begin) / (double)rounds);
        return EXIT_SUCCESS;
    }
    return EXIT_FAILURE;
}
