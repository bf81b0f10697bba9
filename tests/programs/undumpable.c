/*
 * Makes itself unreadable for others (prctl(2), PR_SET_DUMPABLE), and then prints what the calls say that may
 * name a placeholder; the same of a child that others can read, after this one has made a call.
 *
 *     undumpable PLACEHOLDER
 *
 * Linked statically.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in local(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return in;
}

static void say(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "success");
    fflush(stdout);
}

/* By the call of its own that every machine has, and on i386 by socketcall(2) too. */
static void bind_to(unsigned port)
{
    struct sockaddr_in in = local(port);
    say("bind", syscall(SYS_bind, socket(AF_INET, SOCK_STREAM, 0), &in, sizeof in));
#ifdef SYS_socketcall
    const unsigned long arguments[] = {(unsigned long)socket(AF_INET, SOCK_STREAM, 0), (unsigned long)&in,
                                       sizeof in};
    say("bind by socketcall", syscall(SYS_socketcall, 2, arguments));
#endif
}

/* A call that is no placeholder's, but would be read to see whether it is (trap/question.h); and after it,
 * calls of another process. */
static void leave_to_another(unsigned port)
{
    char question[40] = {0};
    int ends[2];
    char go;
    if (pipe(ends) < 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_in in = local(0);
        prctl(PR_SET_DUMPABLE, 1);
        close(ends[1]);
        if (read(ends[0], &go, 1) == 0)
            say("bind of another process",
                bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&in, sizeof in));
        in.sin_port = htons((uint16_t)port);
        say("bind of a pipe", bind(ends[0], (struct sockaddr *)&in, sizeof in));
        _exit(0);
    }
    syscall(SYS_bind, -1, question, sizeof question);
    close(ends[1]);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    prctl(PR_SET_DUMPABLE, 0);
    leave_to_another((unsigned)atoi(argv[1]));
    bind_to((unsigned)atoi(argv[1]));
    return 0;
}
