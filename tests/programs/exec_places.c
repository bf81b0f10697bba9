/*
 * exec_places PLACE FILE: executes FILE in a place where little is left to start a program with, or prints what
 * became of it. PLACE is thread (16 KiB of stack), descriptors (none is free),
 * chroot, handler (of a signal, for which the stack is an alternate one of MINSIGSTKSZ and more), vfork,
 * cancel.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *file;
static char *const arguments[] = {(char *)(uintptr_t) "program", NULL};

/* waitpid(2) is a cancellation point, so cancellation is off meanwhile. */
static int ended(pid_t pid)
{
    int status, before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    pid_t found = waitpid(pid, &status, 0);
    pthread_setcancelstate(before, NULL);
    return found != pid ? 98 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Starts the program in three ways: a child's exec, a search in PATH, a spawn. */
static int start_all(void)
{
    for (volatile int kind = 0; kind < 3; kind++) {
        volatile pid_t pid = -1;
        volatile int error = 0;
        if (kind == 2)
            error = posix_spawn((pid_t *)&pid, file, NULL, NULL, arguments, environ);
        else if ((pid = vfork()) == 0) {
            if (kind == 0)
                execve(file, arguments, environ);
            else
                execlp(file, "program", (char *)NULL);
            _exit(errno);
        }
        int status = error != 0 ? error : ended(pid);
        if (status != 0)
            return status;
    }
    return 0;
}

static void *in_thread(void *unused)
{
    (void)unused;
    return (void *)(intptr_t)start_all();
}

static int thread(void)
{
    pthread_t id;
    pthread_attr_t attributes;
    void *result;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, 16384) != 0 ||
        pthread_create(&id, &attributes, in_thread, NULL) != 0)
        return 97;
    pthread_join(id, &result);
    return (int)(intptr_t)result;
}

static int descriptors(void)
{
    struct rlimit few = {64, 64};
    setrlimit(RLIMIT_NOFILE, &few);
    while (fcntl(0, F_DUPFD_CLOEXEC, 3) >= 0)
        ;
    return start_all();
}

static volatile sig_atomic_t from_handler = 96;

static void handler(int number)
{
    (void)number;
    from_handler = start_all();
}

static int in_handler(void)
{
    static char stack[16384];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    return from_handler;
}

/* Cancellation is pending all the time, but none of the functions is a cancellation point. */
static void *cancelled(void *result)
{
    pthread_cancel(pthread_self());
    *(int *)result = start_all();
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return NULL;
}

static int cancel(void)
{
    pthread_t id;
    int result = 95;
    pthread_create(&id, NULL, cancelled, &result);
    pthread_join(id, NULL);
    return result;
}

static int in_root(void)
{
    if (chroot(".") < 0 || chdir("/") < 0)
        return errno;
    return start_all();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } places[] = {{"thread", thread}, {"descriptors", descriptors}, {"handler", in_handler},
                  {"cancel", cancel}, {"chroot", in_root},          {"vfork", start_all}};
    file = argc == 3 ? argv[2] : "";
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (argc == 3 && strcmp(argv[1], places[i].name) == 0)
            return places[i].run();
    fprintf(stderr, "exec_places: no such place\n");
    return 94;
}
