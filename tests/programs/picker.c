/*
 * picker SOCKET WORKERS ROUNDS: many processes that pick ports, for observer.py.
 *
 * Each worker runs `portshim pick` ROUNDS times and announces each port to the observer. It keeps a few, and gives the
 * oldest back with `portshim release` after withdrawing the announcement. Workers and picks are killed at random moments;
 * another worker goes on where one was killed. When every round has begun and every process has ended, prints
 * "picks N killed K", where N is the number of announced ports. Errors are lines on stderr.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Beside these, a worker may have the port that it is picking and one of a killed pick: four at most. */
enum { KEPT = 2 };

/* A worker is killed at this interval, but at most one for ten ports, however slow the machine is; and one pick in
 * fifty is killed. */
enum { KILL_MICROSECONDS = 2000, PORTS_PER_KILL = 10, PICKS_PER_KILL = 50 };

/* No worker is killed during a release: a release that outlived it could release another holder's port. */
enum state { KILLABLE, RELEASING, DOOMED };

struct worker {
    pid_t pid; /* 0 when it has ended */
    _Atomic int state, rounds; /* rounds left to begin */
};

static struct shared {
    _Atomic unsigned picks;
    struct worker workers[];
} *shared;

static unsigned workers;
static const char *socket_path;
extern char **environ;

static void complain(const char *what, const char *which)
{
    fprintf(stderr, "picker: %s %s\n", what, which);
}

/* A random number below `most`; each process has its own sequence. */
static unsigned chance(unsigned most)
{
    static unsigned seed;
    static pid_t whose;
    if (whose != getpid()) {
        whose = getpid();
        seed = (unsigned)whose * 2654435761U + (unsigned)time(NULL);
    }
    return (unsigned)rand_r(&seed) % most;
}

static void sleep_microseconds(unsigned microseconds)
{
    const struct timespec time = {.tv_nsec = (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

static pid_t spawn(const char *command, const char *argument, int out)
{
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *words[] = {"portshim", (char *)command, (char *)argument, NULL};
    posix_spawn_file_actions_init(&actions);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int error = posix_spawnp(&pid, "portshim", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        complain("cannot start portshim:", strerror(error));
        _exit(1);
    }
    return pid;
}

/* Picks a port for this process. 0 when the pick was killed or failed; a failure has printed its own error. */
static int pick(void)
{
    char word[16], line[16];
    int out[2], status;
    snprintf(word, sizeof word, "%d", getpid());
    if (pipe2(out, O_CLOEXEC) < 0)
        _exit(1);
    pid_t pid = spawn("pick", word, out[1]);
    close(out[1]);
    bool kills = chance(PICKS_PER_KILL) == 0;
    if (kills) {
        sleep_microseconds(chance(2000));
        kill(pid, SIGKILL);
    }
    ssize_t len = read(out[0], line, sizeof line - 1);
    close(out[0]);
    waitpid(pid, &status, 0);
    if (kills && status != 0)
        raise(SIGKILL); /* the killed pick may have leased a port that nobody knows */
    line[len > 0 ? len : 0] = '\0';
    return atoi(line);
}

static void tell(int observer, int port)
{
    char line[16];
    int len = snprintf(line, sizeof line, "%d\n", port);
    if (write(observer, line, (size_t)len) != len || read(observer, line, 1) != 1) {
        complain("no answer from", "the observer");
        _exit(1);
    }
}

static void release(struct worker *self, int observer, int port)
{
    char word[16];
    int status, killable = KILLABLE;
    snprintf(word, sizeof word, "%d", port);
    if (!atomic_compare_exchange_strong(&self->state, &killable, RELEASING))
        pause();
    tell(observer, -port);
    waitpid(spawn("release", word, -1), &status, 0);
    if (status != 0)
        complain("cannot release", word);
    atomic_store(&self->state, KILLABLE);
}

static int meet_observer(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        complain("cannot reach", socket_path);
        _exit(1);
    }
    return fd;
}

static void work(struct worker *self)
{
    int kept[KEPT] = {0}, observer = meet_observer();
    while (atomic_fetch_sub(&self->rounds, 1) > 0) {
        int port = pick();
        if (port == 0)
            continue;
        tell(observer, port);
        atomic_fetch_add(&shared->picks, 1);
        if (kept[0] != 0)
            release(self, observer, kept[0]);
        memmove(kept, kept + 1, sizeof kept - sizeof *kept);
        kept[KEPT - 1] = port;
    }
    _exit(0);
}

static void start(struct worker *worker)
{
    atomic_store(&worker->state, KILLABLE);
    pid_t pid = fork();
    if (pid == 0)
        work(worker);
    worker->pid = pid;
}

/* Waits for a child and replaces it if there is work left; false when there is no child. */
static bool reap(int options)
{
    int status;
    pid_t pid = waitpid(-1, &status, options);
    for (unsigned i = 0; pid > 0 && i < workers; i++) {
        if (shared->workers[i].pid != pid)
            continue;
        shared->workers[i].pid = 0;
        if (atomic_load(&shared->workers[i].rounds) > 0)
            start(&shared->workers[i]);
    }
    return pid > 0;
}

static bool kill_one(void)
{
    struct worker *victim = &shared->workers[chance(workers)];
    int killable = KILLABLE;
    if (victim->pid <= 0 || !atomic_compare_exchange_strong(&victim->state, &killable, DOOMED))
        return false;
    kill(victim->pid, SIGKILL);
    return true;
}

static bool rounds_are_left(void)
{
    for (unsigned i = 0; i < workers; i++)
        if (atomic_load(&shared->workers[i].rounds) > 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    unsigned killed = 0;
    if (argc != 4)
        return 2;
    socket_path = argv[1];
    workers = (unsigned)atoi(argv[2]);
    shared = mmap(NULL, sizeof *shared + workers * sizeof *shared->workers, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* also wait for the picks of killed workers */
    for (unsigned i = 0; i < workers; i++) {
        atomic_store(&shared->workers[i].rounds, atoi(argv[3]));
        start(&shared->workers[i]);
    }
    while (rounds_are_left()) {
        sleep_microseconds(chance(2 * KILL_MICROSECONDS));
        if (atomic_load(&shared->picks) >= PORTS_PER_KILL * killed)
            killed += kill_one();
        while (reap(WNOHANG))
            ;
    }
    while (reap(0))
        ;
    printf("picks %u killed %u\n", atomic_load(&shared->picks), killed);
    return 0;
}
