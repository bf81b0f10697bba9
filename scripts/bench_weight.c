/*
 * For scripts/bench-weight: starts programs, and takes the time from start to end.
 *
 *     bench_weight pairs ROUNDS [aside HOME DIRECTORY] COMMAND... [// COMMAND...]...
 *
 * Starts the commands in turn, ROUNDS times. Prints a line for each: the median of its microseconds, then the
 * median and the quartiles of its ratios to the first command of the same round. With "aside", HOME is
 * emptied after each command: runs, which have all ended, are moved to DIRECTORY, and the lease table is set
 * back. (To remove them would slow down ext4, which then looks for inodes to use again.)
 *
 *     bench_weight hold COUNT COMMAND...
 *     bench_weight rest
 *
 * "hold" starts COUNT copies, one after the other, each of which writes a byte when it is there. Prints their
 * pids on one line. Kills and reaps all of them on SIGTERM. "rest" writes that byte and sleeps.
 *
 * Words NAME=VALUE before a command are added to its environment. Commands are paths: PATH is not searched.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { COMMANDS_MAX = 16 };

struct command {
    char **argv, **env;
    double *times; /* microseconds, one for each round */
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void *must_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        die("memory");
    return memory;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static size_t name_length(const char *assignment)
{
    return (size_t)(strchr(assignment, '=') - assignment) + 1;
}

/* The environment with words that replace what it has under the same names. */
static char **environment_with(char **words, size_t count)
{
    size_t size = 0, n = 0;
    while (environ[size] != NULL)
        size++;
    char **env = must_allocate(size + count + 1, sizeof *env);
    for (size_t i = 0; i < size; i++) {
        size_t same = 0;
        while (same < count && strncmp(environ[i], words[same], name_length(words[same])) != 0)
            same++;
        if (same == count)
            env[n++] = environ[i];
    }
    memcpy(env + n, words, count * sizeof *env);
    return env;
}

static struct command command_of(char **argv)
{
    size_t count = 0;
    while (argv[count] != NULL && strchr(argv[count], '=') != NULL)
        count++;
    if (argv[count] == NULL) {
        fprintf(stderr, "bench_weight: a command is missing\n");
        exit(EXIT_FAILURE);
    }
    return (struct command){.argv = argv + count, .env = environment_with(argv, count)};
}

/* Starts the command with output as its standard output, without copying this process. */
static pid_t start(const struct command *command, int output)
{
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(output, STDOUT_FILENO);
        execve(command->argv[0], command->argv, command->env);
        _exit(127);
    }
    if (pid < 0)
        die(command->argv[0]);
    return pid;
}

static double time_of(const struct command *command, int output)
{
    int status;
    double begin = now();
    pid_t pid = start(command, output);
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    double end = now();
    if (status != 0) {
        fprintf(stderr, "bench_weight: %s failed: status 0x%x\n", command->argv[0], (unsigned)status);
        exit(EXIT_FAILURE);
    }
    return end - begin;
}

/* A home whose runs are moved aside. */
struct home {
    int runs, aside, leases;
    unsigned moved;
    size_t size;
    char *table; /* what the lease table has without them */
};

static void home_open(struct home *home, const char *path, const char *aside)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    home->runs = openat(fd, "runs", O_RDONLY | O_DIRECTORY);
    home->leases = openat(fd, "leases", O_RDWR);
    home->aside = open(aside, O_RDONLY | O_DIRECTORY);
    if (home->runs < 0 || home->aside < 0 || home->leases < 0 || fstat(home->leases, &status) < 0)
        die(path);
    close(fd);
    home->size = (size_t)status.st_size;
    home->table = must_allocate(home->size, 1);
    if (pread(home->leases, home->table, home->size, 0) != (ssize_t)home->size)
        die("lease table");
}

static void home_empty(struct home *home)
{
    char name[32];
    int fd = openat(home->runs, ".", O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL)
        die("runs");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%u", home->moved++);
        if (renameat(home->runs, entry->d_name, home->aside, name) < 0)
            die(entry->d_name);
    }
    closedir(directory);
    if (pwrite(home->leases, home->table, home->size, 0) != (ssize_t)home->size)
        die("lease table");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a share of the sorted numbers is. */
static double quantile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (sorted[above] - sorted[below]) * (at - (double)below);
}

static void report(const struct command *commands, size_t count, size_t rounds)
{
    double *ratios = must_allocate(rounds, sizeof *ratios), *times = must_allocate(rounds, sizeof *times);
    for (size_t n = 0; n < count; n++) {
        for (size_t i = 0; i < rounds; i++)
            ratios[i] = commands[n].times[i] / commands[0].times[i];
        memcpy(times, commands[n].times, rounds * sizeof *times);
        qsort(ratios, rounds, sizeof *ratios, compare);
        qsort(times, rounds, sizeof *times, compare);
        printf("%.0f %.3f %.3f %.3f\n", quantile(times, rounds, 0.5), quantile(ratios, rounds, 0.5),
               quantile(ratios, rounds, 0.25), quantile(ratios, rounds, 0.75));
    }
    free(ratios);
    free(times);
}

static void measure(struct command *commands, size_t count, size_t rounds, struct home *home)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t round = 0; round < rounds; round++) {
        /* None of them always comes after the same other one. */
        for (size_t i = 0; i < count; i++) {
            struct command *command = &commands[round % 2 == 0 ? i : count - 1 - i];
            command->times[round] = time_of(command, nowhere);
            if (home != NULL)
                home_empty(home);
        }
    }
    close(nowhere);
}

static int pairs(char **words)
{
    struct command commands[COMMANDS_MAX];
    struct home home = {0};
    size_t count = 0, rounds = strtoul(*words++, NULL, 10);
    bool aside = words[0] != NULL && strcmp(words[0], "aside") == 0;
    if (aside) {
        home_open(&home, words[1], words[2]);
        words += 3;
    }
    while (*words != NULL && count < COMMANDS_MAX) {
        char **end = words;
        while (*end != NULL && strcmp(*end, "//") != 0)
            end++;
        bool more = *end != NULL;
        *end = NULL;
        commands[count] = command_of(words);
        commands[count++].times = must_allocate(rounds, sizeof(double));
        words = more ? end + 1 : end;
    }
    measure(commands, count, rounds, aside ? &home : NULL);
    report(commands, count, rounds);
    return EXIT_SUCCESS;
}

/* Starts one copy, and waits until it says that it is there. */
static pid_t start_and_meet(const struct command *command)
{
    char byte;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe");
    pid_t pid = start(command, ends[1]);
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1) {
        fprintf(stderr, "bench_weight: %s has ended\n", command->argv[0]);
        exit(EXIT_FAILURE);
    }
    close(ends[0]);
    return pid;
}

static int hold(char **words)
{
    size_t count = strtoul(words[0], NULL, 10);
    struct command command = command_of(words + 1);
    pid_t *pids = must_allocate(count, sizeof *pids);
    sigset_t term;
    int signal;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    for (size_t i = 0; i < count; i++)
        pids[i] = start_and_meet(&command);
    sigprocmask(SIG_BLOCK, &term, NULL);
    for (size_t i = 0; i < count; i++)
        printf("%d%c", (int)pids[i], i + 1 < count ? ' ' : '\n');
    fflush(stdout);
    sigwait(&term, &signal);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        waitpid(pids[i], NULL, 0);
    free(pids);
    return EXIT_SUCCESS;
}

/* Ends with the process that holds it, whichever way that ends. */
static int rest(void)
{
    pid_t holder = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != holder)
        return EXIT_FAILURE;
    if (write(STDOUT_FILENO, "", 1) != 1)
        return EXIT_FAILURE;
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "pairs") == 0)
        return pairs(argv + 2);
    if (argc > 3 && strcmp(argv[1], "hold") == 0)
        return hold(argv + 2);
    if (argc == 2 && strcmp(argv[1], "rest") == 0)
        return rest();
    return EXIT_FAILURE;
}
