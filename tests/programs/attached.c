/*
 * attached PORT: forks at the end of joining a run by hand, when the library has just put the run into the environment.
 * The child binds PORT, prints what came of it, and executes env(1) with an empty environment. Then the parent goes on, and
 * does the same in main().
 *
 * The last thing that the library does is to compare PORTSHIM_DEEPBIND with "keep", by this program's strcmp().
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int port;

static void bind_and_execute(const char *who)
{
    char *const words[] = {"env", NULL}, *const nothing[] = {NULL};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int result = bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
    dprintf(STDOUT_FILENO, "%s: %s\n", who, result == 0 ? "bound" : "not bound");
    execve("/usr/bin/env", words, nothing);
    _exit(1);
}

static void fork_once(void)
{
    static int forked;
    if (port == 0 || forked++)
        return;
    pid_t child = fork();
    if (child == 0)
        bind_and_execute("child");
    waitpid(child, NULL, 0);
}

int strcmp(const char *one, const char *other)
{
    if (other[0] == 'k' && other[1] == 'e' && other[2] == 'e' && other[3] == 'p' && other[4] == '\0')
        fork_once();
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return (unsigned char)*one - (unsigned char)*other;
}

static void *idle(void *argument)
{
    pause();
    return argument;
}

/* A process with one thread does not fork while it joins, so that the library would not join in the child. */
static void before_constructors(int argc, char **argv, char **environment)
{
    pthread_t thread;
    environ = environment; /* libc's constructor, which sets it, has not run yet */
    port = argc == 2 ? atoi(argv[1]) : 0;
    pthread_create(&thread, NULL, idle, NULL);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = before_constructors;

int main(void)
{
    bind_and_execute("parent");
    return 1;
}
