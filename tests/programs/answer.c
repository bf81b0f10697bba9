/*
 * answer RUN PORT, in the run: measures how long portshim wait takes to notice that something listens. Fifty
 * times, it starts a wait, and begins to listen once the wait has been asleep for a while.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 50 };

static long microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    long one = *(const long *)a, other = *(const long *)b;
    return one < other ? -1 : one > other;
}

static pid_t start_wait(char *run, char *port, int out)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *words[] = {"portshim", "wait", "-t", "10", run, port, NULL};
        dup2(out, STDOUT_FILENO);
        execvp(words[0], words);
        _exit(127);
    }
    close(out);
    return pid;
}

static long once(char *run, char *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int ends[2], one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[16];
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || pipe(ends) < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0) {
        perror("answer");
        exit(1);
    }
    pid_t pid = start_wait(run, port, ends[1]);
    /* Give the wait time to fall asleep, which no event tells; vary the moment. */
    usleep(20000 + (useconds_t)(rand() % 50000));
    long begin = microseconds();
    listen(fd, 1);
    ssize_t got = read(ends[0], answer, sizeof answer);
    long taken = microseconds() - begin;
    close(ends[0]);
    close(fd);
    waitpid(pid, NULL, 0);
    if (got <= 0) {
        fputs("answer: none\n", stderr);
        exit(1);
    }
    return taken;
}

int main(int argc, char **argv)
{
    long taken[TIMES];
    if (argc != 3)
        return 2;
    for (int i = 0; i < TIMES; i++)
        taken[i] = once(argv[1], argv[2]);
    qsort(taken, TIMES, sizeof *taken, compare);
    printf("least %ld us\nmedian %ld us\nmost %ld us\n", taken[0], taken[TIMES / 2], taken[TIMES - 1]);
    return 0;
}
