/*
 * execs WAY FILE: starts FILE, with the one argument "child", in this way of libc's and with an environment that has
 * lost the run. Prints the environment that the program gets.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char **environ;

static char *const empty[] = {NULL};

static int spawn(const char *file, int search)
{
    char *const argv[] = {(char *)file, "child", NULL};
    pid_t pid;
    int status, error = search ? posix_spawnp(&pid, file, NULL, NULL, argv, empty)
                               : posix_spawn(&pid, file, NULL, NULL, argv, empty);
    return error != 0 || waitpid(pid, &status, 0) != pid ? 1 : WEXITSTATUS(status);
}

static int by_popen(const char *file)
{
    char line[4096];
    snprintf(line, sizeof line, "%s child", file);
    FILE *stream = popen(line, "r");
    while (fgets(line, sizeof line, stream) != NULL)
        fputs(line, stdout);
    return pclose(stream);
}

static int by_wordexp(const char *file)
{
    char line[4096];
    wordexp_t words;
    snprintf(line, sizeof line, "$(%s child)", file);
    if (wordexp(line, &words, 0) != 0)
        return 1;
    for (size_t i = 0; i < words.we_wordc; i++)
        puts(words.we_wordv[i]);
    wordfree(&words);
    return 0;
}

static int by_system(const char *file)
{
    char line[4096];
    snprintf(line, sizeof line, "%s child", file);
    return system(line);
}

static int by_vfork(const char *file)
{
    char *const argv[] = {(char *)file, "child", NULL};
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        execve(file, argv, empty);
        _exit(1);
    }
    return waitpid(pid, &status, 0) != pid ? 1 : WEXITSTATUS(status);
}

static int run(const char *way, const char *file)
{
    char *const argv[] = {(char *)file, "child", NULL};
    if (strcmp(way, "execve") == 0)
        return execve(file, argv, empty);
    if (strcmp(way, "execve-null") == 0)
        return execve(file, argv, NULL);
    if (strcmp(way, "execvpe") == 0)
        return execvpe(file, argv, empty);
    if (strcmp(way, "execle") == 0)
        return execle(file, file, "child", (char *)NULL, empty);
    if (strcmp(way, "fexecve") == 0)
        return fexecve(open(file, O_RDONLY | O_CLOEXEC), argv, empty);
    if (strcmp(way, "execveat") == 0)
        return execveat(AT_FDCWD, file, argv, empty, 0);
    if (strcmp(way, "posix_spawn") == 0)
        return spawn(file, 0);
    if (strcmp(way, "posix_spawnp") == 0)
        return spawn(file, 1);
    if (strcmp(way, "vfork") == 0)
        return by_vfork(file);
    clearenv();
    if (strcmp(way, "execv") == 0)
        return execv(file, argv);
    if (strcmp(way, "execvp") == 0)
        return execvp(file, argv);
    if (strcmp(way, "execl") == 0)
        return execl(file, file, "child", (char *)NULL);
    if (strcmp(way, "execlp") == 0)
        return execlp(file, file, "child", (char *)NULL);
    if (strcmp(way, "system") == 0)
        return by_system(file);
    if (strcmp(way, "popen") == 0)
        return by_popen(file);
    if (strcmp(way, "wordexp") == 0)
        return by_wordexp(file);
    fprintf(stderr, "execs: no such way: %s\n", way);
    return 2;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2) {
        for (char **entry = environ; *entry != NULL; entry++)
            puts(*entry);
        return 0;
    }
    return argc == 3 ? run(argv[1], argv[2]) : 2;
}
