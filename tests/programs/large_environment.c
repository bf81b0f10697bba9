/*
 * large_environment WAY: starts itself twenty times in this way, from a thread with a small stack and with an
 * environment of 8000 variables that has lost the run. Fails when one of the programs is not in the run, or when
 * each start leaves memory mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

extern char **environ;

enum { VARIABLES = 8000, STACK = 64 << 10, TIMES = 20, SETTLED = 3 };

static const char *way;
static char self[4096];
static char *variables[VARIABLES + 1];

static int is(const char *name)
{
    return strcmp(way, name) == 0;
}

static int ended(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void execute(const char *file, char *const argv[])
{
    if (is("execve"))
        execve(file, argv, variables);
    if (is("execv"))
        execv(file, argv);
    if (is("execvp"))
        execvp(file, argv);
    if (is("execvpe"))
        execvpe(file, argv, variables);
    if (is("execl"))
        execl(file, file, "child", (char *)NULL);
    if (is("execlp"))
        execlp(file, file, "child", (char *)NULL);
    if (is("execle"))
        execle(file, file, "child", (char *)NULL, variables);
    if (is("fexecve"))
        fexecve(open(file, O_RDONLY | O_CLOEXEC), argv, variables);
    if (is("execveat"))
        execveat(AT_FDCWD, file, argv, variables, 0);
    if (is("syscall"))
        syscall(SYS_execve, file, argv, variables);
    if (is("syscall-at"))
        syscall(SYS_execveat, AT_FDCWD, file, argv, variables, 0);
}

static int by_shell(void)
{
    if (is("system"))
        return WEXITSTATUS(system("exec \"$SELF\" child"));
    if (is("popen"))
        return WEXITSTATUS(pclose(popen("exec \"$SELF\" child", "r")));
    wordexp_t words;
    int error = wordexp("$(\"$SELF\" child || echo lost)", &words, 0);
    int lost = error != 0 || words.we_wordc != 0;
    wordfree(&words);
    return lost;
}

static int start_one(void)
{
    char *const argv[] = {self, (char *)(uintptr_t) "child", NULL};
    volatile pid_t pid = -1;
    if (is("system") || is("popen") || is("wordexp"))
        return by_shell();
    if (is("posix_spawn") || is("posix_spawnp")) {
        int error = is("posix_spawn") ? posix_spawn((pid_t *)&pid, self, NULL, NULL, argv, variables)
                                      : posix_spawnp((pid_t *)&pid, self, NULL, NULL, argv, variables);
        return error != 0 ? error : ended(pid);
    }
    pid = vfork();
    if (pid == 0) {
        execute("/no/such/program", argv); /* as in a search */
        execute(self, argv);
        _exit(98);
    }
    return ended(pid);
}

static size_t mapped(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu", &pages) != 1)
        exit(97);
    fclose(file);
    return pages;
}

static void *start_many(void *unused)
{
    size_t before = 0;
    (void)unused;
    for (int i = 0; i < TIMES; i++) {
        int status = start_one();
        if (status != 0) {
            printf("%s: status %d\n", way, status);
            exit(1);
        }
        if (i == SETTLED)
            before = mapped();
    }
    if (mapped() != before) {
        printf("%s: %zu pages grew to %zu\n", way, before, mapped());
        exit(1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (argc == 2 && strcmp(argv[1], "child") == 0)
        return getenv("PORTSHIM_RUN") == NULL || getenv("LD_PRELOAD") == NULL || getenv("V7998") == NULL;
    way = argc == 2 ? argv[1] : "";
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    setenv("SELF", self, 1);
    variables[0] = (char *)(uintptr_t)getenv("SELF") - strlen("SELF=");
    for (int i = 1; i < VARIABLES; i++)
        if (asprintf(&variables[i], "V%d=x", i) < 0)
            return 96;
    environ = variables;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if (pthread_create(&thread, &attributes, start_many, NULL) != 0)
        return 95;
    return pthread_join(thread, NULL);
}
