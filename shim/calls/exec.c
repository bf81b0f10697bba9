/*
 * The exec family and posix_spawn(3): a new program stays in the run (process/carry.h).
 *
 * Inside libc these functions call each other by names that cannot be interposed, so each has a wrapper. All
 * may run between vfork(2) and exec: they write only to the stack and to borrowed memory (process/borrow.h).
 */
#include "calls/start.h"
#include "process/attach.h"
#include "process/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

extern char **environ;

static int execute(const char *path, char *const argv[], char *const envp[])
{
    const struct next *libc = next();
    struct carried carried = CARRY(envp);
    int result = -1;
    if (start_exec(AT_FDCWD, path, 0, argv, &carried))
        result = BEHIND(libc, execve)(path, argv, carried.environment);
    carry_end(&carried);
    return result;
}

static int search(const char *file, char *const argv[], char *const envp[])
{
    const struct next *libc = next();
    struct carried carried = CARRY(envp);
    int result = -1;
    if (start_exec_in_path(file, argv, &carried))
        result = BEHIND(libc, execvpe)(file, argv, carried.environment);
    carry_end(&carried);
    return result;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return execute(path, argv, envp);
}

int execv(const char *path, char *const argv[])
{
    return execute(path, argv, environ);
}

int execvp(const char *file, char *const argv[])
{
    return search(file, argv, environ);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return search(file, argv, envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
    const struct next *libc = next();
    struct carried carried = CARRY(envp);
    int result = -1;
    if (start_exec(fd, "", AT_EMPTY_PATH, argv, &carried))
        result = BEHIND(libc, fexecve)(fd, argv, carried.environment);
    carry_end(&carried);
    return result;
}

int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
    const struct next *libc = next();
    if (BEHIND(libc, execveat) == NULL) {
        errno = ENOSYS;
        return -1;
    }
    struct carried carried = CARRY(envp);
    int result = -1;
    if (start_exec(dirfd, path, flags, argv, &carried))
        result = BEHIND(libc, execveat)(dirfd, path, argv, carried.environment, flags);
    carry_end(&carried);
    return result;
}

/* The number of arguments that execl() was given, the NULL at the end included. */
static size_t count_arguments(const char *first, va_list *arguments)
{
    size_t count = 1;
    for (const char *argument = first; argument != NULL; count++)
        argument = va_arg(*arguments, const char *);
    return count;
}

static void collect_arguments(char **argv, const char *first, va_list *arguments)
{
    /* execv(3) takes pointers to char but never writes through them. */
    *argv = (char *)(uintptr_t)first;
    while (*argv != NULL)
        *++argv = va_arg(*arguments, char *);
}

/* The arguments of execl() as an array on the calling function's stack. Leaves `rest` behind the NULL. */
#define ARGUMENTS(first, rest)                                                                    \
    __extension__({                                                                               \
        va_list counting;                                                                         \
        va_copy(counting, rest);                                                                  \
        char **on_stack = __builtin_alloca(count_arguments(first, &counting) * sizeof *on_stack); \
        va_end(counting);                                                                         \
        collect_arguments(on_stack, first, &rest);                                                \
        on_stack;                                                                                 \
    })

int execl(const char *path, const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    char **argv = ARGUMENTS(argument, rest);
    va_end(rest);
    return execute(path, argv, environ);
}

int execlp(const char *file, const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    char **argv = ARGUMENTS(argument, rest);
    va_end(rest);
    return search(file, argv, environ);
}

int execle(const char *path, const char *argument, ...)
{
    va_list rest;
    va_start(rest, argument);
    char **argv = ARGUMENTS(argument, rest);
    char *const *envp = va_arg(rest, char *const *);
    va_end(rest);
    return execute(path, argv, envp);
}

int posix_spawn(pid_t *restrict pid, const char *restrict path,
                const posix_spawn_file_actions_t *restrict actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                char *const envp[restrict])
{
    const struct next *libc = next();
    const struct start_spawn spawn = {pid, actions, attributes, argv};
    struct carried carried = CARRY(envp);
    int error = start_spawn(&spawn, path, false, &carried);
    if (error == START_PLAINLY)
        error = BEHIND(libc, posix_spawn)(pid, path, actions, attributes, argv, carried.environment);
    carry_end(&carried);
    return error;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict file,
                 const posix_spawn_file_actions_t *restrict actions,
                 const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                 char *const envp[restrict])
{
    const struct next *libc = next();
    const struct start_spawn spawn = {pid, actions, attributes, argv};
    struct carried carried = CARRY(envp);
    int error = start_spawn(&spawn, file, true, &carried);
    if (error == START_PLAINLY)
        error = BEHIND(libc, posix_spawnp)(pid, file, actions, attributes, argv, carried.environment);
    carry_end(&carried);
    return error;
}
