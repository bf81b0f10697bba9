/*
 * For scripts/bench: runs a loop of socket calls on 127.0.0.1:PORT and prints the nanoseconds of processor
 * time, user and system, for each round. Other programs disturb processor time less than elapsed time.
 *
 *     bench bind|name|datagram|connect|stream PORT ROUNDS [stack|bss|heap]
 *
 * The last word says where in memory name and datagram keep the addresses, and their lengths, for the calls.
 */
#include <arpa/inet.h>
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

static uint64_t used(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(long);
    } loops[] = {{"bind", measure_bind},
                 {"name", measure_name},
                 {"datagram", measure_datagram},
                 {"connect", measure_connect},
                 {"stream", measure_stream}};
    if (argc < 4)
        return EXIT_FAILURE;
    if (argc > 4 && strcmp(argv[4], "stack") != 0)
        elsewhere = strcmp(argv[4], "bss") == 0 ? &in_bss : malloc(sizeof *elsewhere);
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long rounds = atol(argv[3]);
    for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (strcmp(argv[1], loops[i].name) != 0)
            continue;
        uint64_t begin = used();
        loops[i].measure(rounds);
        printf("%.1f\n", (double)(used() - begin) / (double)rounds);
        return EXIT_SUCCESS;
    }
    return EXIT_FAILURE;
}
