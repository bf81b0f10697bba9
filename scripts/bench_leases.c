/*
 * For scripts/bench-leases: starts processes that lease ports as fast as they can, and prints how many
 * leases they get per second in all.
 *
 *     bench_leases server ADDRESS PROCESSES LEASES   ask a port server, with a connection for each lease
 *     bench_leases library PROCESSES PAIRS           call portmap_pick() and portmap_release()
 *     bench_leases library-host PROCESSES PAIRS      call portmap_lease() for TCP on 127.0.0.1, and release
 */
#include <portmap/portmap.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_un server;
static socklen_t server_len;

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void set_server(const char *address)
{
    size_t len = strlen(address);
    if (len >= sizeof server.sun_path)
        die(address);
    server.sun_family = AF_UNIX;
    memcpy(server.sun_path, address, len);
    if (*address == '@')
        server.sun_path[0] = '\0';
    server_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*address != '@'));
}

static void lease_of_server(void)
{
    char text[16];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), len = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, server_len) < 0 ||
        write(fd, text, (size_t)len) != len)
        die("port server");
    ssize_t got = read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    if (atoi(text) == 0) {
        fprintf(stderr, "bench_leases: the port server gave no port\n");
        exit(EXIT_FAILURE);
    }
    close(fd);
}

static void lease_and_release(int port)
{
    if (port < 0 || portmap_release((unsigned)port) != 0) {
        fprintf(stderr, "bench_leases: %s\n", portmap_strerror(port));
        exit(EXIT_FAILURE);
    }
}

static void lease_everywhere(void)
{
    lease_and_release(portmap_pick(0));
}

static void lease_on_one_host(void)
{
    static const char *const hosts[] = {"127.0.0.1", NULL};
    lease_and_release(portmap_lease(hosts, 0, SOCK_STREAM));
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds from the moment at which all processes have started until the last one has finished. */
static double measure(void (*once)(void), int processes, long each)
{
    int ready[2], go[2], status, failed = 0;
    char byte = 0;
    if (pipe(ready) < 0 || pipe(go) < 0)
        die("pipe");
    for (int i = 0; i < processes; i++) {
        if (fork() != 0)
            continue;
        close(go[1]);
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 0)
            die("pipe");
        for (long left = each; left > 0; left--)
            once();
        exit(EXIT_SUCCESS);
    }
    for (int i = 0; i < processes; i++)
        if (read(ready[0], &byte, 1) != 1)
            die("pipe");
    double begin = now();
    close(go[1]);
    for (int i = 0; i < processes; i++)
        failed += wait(&status) < 0 || status != 0;
    if (failed > 0)
        exit(EXIT_FAILURE);
    return now() - begin;
}

int main(int argc, char **argv)
{
    void (*once)(void) = lease_everywhere;
    if (argc > 1 && strcmp(argv[1], "library-host") == 0)
        once = lease_on_one_host;
    if (argc > 2 && strcmp(argv[1], "server") == 0) {
        once = lease_of_server;
        set_server(argv[2]);
        argv++;
        argc--;
    }
    if (argc != 4)
        return EXIT_FAILURE;
    int processes = atoi(argv[2]);
    long each = processes > 0 ? atol(argv[3]) / processes : 0;
    printf("%.0f\n", (double)(each * processes) / measure(once, processes, each));
    return EXIT_SUCCESS;
}
