/*
 * exec_calls FILE...: prints, for every function that starts a program, what it does with each FILE and with
 * pointers that no program would pass: the errno or the status. In a run, the lines must be the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const ways[] = {"execve",       "execv",  "execvp",  "execvpe",  "execl",
                                   "execlp",       "execle", "fexecve", "execveat", "posix_spawn",
                                   "posix_spawnp", "vfork",  "system",  NULL};

static int wait_for(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid)
        return errno;
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int spawn(const char *file, char *const *argv, int search)
{
    pid_t pid = -1;
    errno = 77; /* posix_spawn() must leave it alone */
    int error = search ? posix_spawnp(&pid, file, NULL, NULL, argv, environ)
                       : posix_spawn(&pid, file, NULL, NULL, argv, environ);
    if (errno != 77)
        printf("errno became %d ", errno);
    return error != 0 ? error : wait_for(pid);
}

static int by_vfork(const char *file, char *const *argv)
{
    volatile int error = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        execve(file, argv, environ);
        error = errno;
        _exit(99);
    }
    if (error != 0)
        return error;
    return wait_for(pid);
}

/* Returns an errno, or does not return: the program that was started ends this process. */
static int call(const char *way, const char *file)
{
    char *const argv[] = {(char *)(uintptr_t) "program", NULL};
    int result = -1;
    errno = 0;
    if (strcmp(way, "execve") == 0)
        result = execve(file, argv, environ);
    if (strcmp(way, "execv") == 0)
        result = execv(file, argv);
    if (strcmp(way, "execvp") == 0)
        result = execvp(file, argv);
    if (strcmp(way, "execvpe") == 0)
        result = execvpe(file, argv, environ);
    if (strcmp(way, "execl") == 0)
        result = execl(file, "program", (char *)NULL);
    if (strcmp(way, "execlp") == 0)
        result = execlp(file, "program", (char *)NULL);
    if (strcmp(way, "execle") == 0)
        result = execle(file, "program", (char *)NULL, environ);
    if (strcmp(way, "fexecve") == 0)
        result = fexecve(open(file, O_PATH | O_NONBLOCK), argv, environ);
    if (strcmp(way, "execveat") == 0)
        result = execveat(AT_FDCWD, file, argv, environ, 0);
    if (strcmp(way, "posix_spawn") == 0)
        return spawn(file, argv, 0);
    if (strcmp(way, "posix_spawnp") == 0)
        return spawn(file, argv, 1);
    if (strcmp(way, "vfork") == 0)
        return by_vfork(file, argv);
    if (strcmp(way, "system") == 0)
        exit(WEXITSTATUS(system(file)));
    if (result != -1)
        printf("returned %d ", result);
    return errno;
}

/* `name` stands for the pointer in the output. */
static void show(const char *way, const char *name, const char *file)
{
    int status;
    printf("%s %s: ", way, name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int error = call(way, file);
        printf("%s ", strerrorname_np(error));
        fflush(stdout);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) == pid)
        printf("status %d\n", status);
}

static const char *at_the_end_of_memory(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, '/', page);
    munmap(pages + page, page);
    return pages + page - length;
}

static void show_result(const char *call, int result)
{
    printf("%s: %d %s\n", call, result, strerrorname_np(errno));
}

/* The functions that search PATH read their argument themselves: they die by a signal, in a run or not. */
static void show_pointers(void)
{
    static const char *const direct[] = {"execve",   "execv",       "execl", "execle",
                                         "execveat", "posix_spawn", "vfork", NULL};
    for (const char *const *way = direct; *way != NULL; way++) {
        show(*way, "NULL", NULL);
        show(*way, "8", (const char *)8);
        show(*way, "unmapped", at_the_end_of_memory(0));
        show(*way, "unterminated", at_the_end_of_memory(10));
    }
    char *bad[] = {(char *)8, NULL}, *good[] = {(char *)(uintptr_t) "true", NULL};
    char **volatile nowhere = (char **)8;
    show_result("execve argv", execve("/bin/true", nowhere, environ));
    show_result("execve argv[0]", execve("/bin/true", bad, environ));
    show_result("execve envp", execve("/bin/true", good, nowhere));
    show_result("execve envp[0]", execve("/bin/true", good, bad));
    show_result("fexecve -1", fexecve(-1, good, environ));
    show_result("fexecve 999", fexecve(999, good, environ));
    show_result("execveat 999", execveat(999, "", good, environ, AT_EMPTY_PATH));
    show_result("execveat without a flag", execveat(0, "", good, environ, 0));
    show_result("execveat flags", execveat(AT_FDCWD, "/bin/true", good, environ, ~0));
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        for (const char *const *way = ways; *way != NULL; way++)
            show(*way, strlen(argv[i]) > 200 ? "long" : argv[i], argv[i]);
    show_pointers();
    return 0;
}
