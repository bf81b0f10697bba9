/*
 * answer RUN PORT, in the run: measures how long portshim wait takes to notice that something listens. Fifty
 * times, it starts a wait, and begins to listen once the wait has been asleep for a while. Beside that, it measures
 * as often how long a process takes that sleeps in a read() until it is written to, and answers by a write().
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
        char *words[] = {"portshim", "wait", "-t", "60", run, port, NULL};
        dup2(out, STDOUT_FILENO);
        execvp(words[0], words);
        _exit(127);
    }
    close(out);
    return pid;
}

/* A child that sleeps until it is written to, and answers. */
static pid_t start_sleeper(int in, int out)
{
    char byte;
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1 ? 0 : 1);
    return pid;
}

static long wake_once(void)
{
    int there[2], back[2];
    char byte = 0;
    if (pipe(there) < 0 || pipe(back) < 0) {
        perror("answer");
        exit(1);
    }
    pid_t pid = start_sleeper(there[0], back[1]);
    /* Give it time to fall asleep, which no event tells; vary the moment. */
    usleep(5000 + (useconds_t)(rand() % 5000));
    long begin = microseconds();
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
        exit(1);
    long taken = microseconds() - begin;
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    waitpid(pid, NULL, 0);
    return taken;
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
    long taken[TIMES], wake[TIMES];
    if (argc != 3)
        return 2;
    for (int i = 0; i < TIMES; i++) {
        taken[i] = once(argv[1], argv[2]);
        wake[i] = wake_once();
    }
    qsort(taken, TIMES, sizeof *taken, compare);
    qsort(wake, TIMES, sizeof *wake, compare);
    printf("wake %ld us\n", wake[TIMES / 2]);
    printf("least %ld us\nmedian %ld us\nmost %ld us\n", taken[0], taken[TIMES / 2], taken[TIMES - 1]);
    return 0;
}
