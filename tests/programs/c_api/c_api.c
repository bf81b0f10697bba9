/*
 * A user of libportmap, as installed. Each argument is a call, which prints one line: the port or number that it
 * returned, or the name of its error. "@2" in a later argument is what the second call printed.
 *
 *     c_api pick 'release @1' 'release @1'
 *     20000
 *     0
 *     PORTMAP_ENOTOURS
 */
#include <portmap/portmap.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORDS = 40, MOST_RESULTS = 64, THREADS = 8, HELD = 4, ROUNDS = 200, PORTS = 65536 };

static const struct {
    int code;
    const char *name;
} errors[] = {{PORTMAP_EXHAUSTED, "PORTMAP_EXHAUSTED"},
              {PORTMAP_EHELD, "PORTMAP_EHELD"},
              {PORTMAP_EINUSE, "PORTMAP_EINUSE"},
              {PORTMAP_EFOREIGN, "PORTMAP_EFOREIGN"},
              {PORTMAP_EPATH, "PORTMAP_EPATH"},
              {PORTMAP_ETORN, "PORTMAP_ETORN"},
              {PORTMAP_ETOOMANY, "PORTMAP_ETOOMANY"},
              {PORTMAP_ESYNTAX, "PORTMAP_ESYNTAX"},
              {PORTMAP_ENOTOURS, "PORTMAP_ENOTOURS"},
              {PORTMAP_EREUSE, "PORTMAP_EREUSE"},
              {-ESRCH, "ESRCH"},
              {-EINVAL, "EINVAL"},
              {-EADDRINUSE, "EADDRINUSE"},
              {-EADDRNOTAVAIL, "EADDRNOTAVAIL"},
              {-EACCES, "EACCES"},
              {-ENOENT, "ENOENT"},
              {-EAFNOSUPPORT, "EAFNOSUPPORT"},
              {-ENOTSOCK, "ENOTSOCK"}};

static int results[MOST_RESULTS];

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "c_api: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void print(int result)
{
    for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == result) {
            puts(errors[i].name);
            return;
        }
    if (result < 0)
        printf("%d %s\n", result, portmap_strerror(result));
    else
        printf("%d\n", result);
}

static int number(const char *word)
{
    if (word == NULL)
        return 0;
    return *word == '@' ? results[atoi(word + 1) - 1] : atoi(word);
}

static int family_of(const char *word)
{
    static const char *const names[] = {"any", "inet", "inet6", "unix"};
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(word, names[i]) == 0)
            return families[i];
    die(word);
}

static int type_of(const char *word)
{
    static const char *const names[] = {"any", "stream", "dgram", "raw"};
    static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW};
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(word, names[i]) == 0)
            return types[i];
    die(word);
}

/* A host as it is written in an argument: "" for every address. */
static const char *host_of(const char *word)
{
    return strcmp(word, "every") == 0 ? "" : word;
}

static int new_socket(const char *family, const char *type)
{
    int fd = socket(family_of(family), type_of(type) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    return fd;
}

static int pick(char **words)
{
    return portmap_pick(number(words[1]));
}

static int lease(char **words)
{
    const char *hosts[MOST_WORDS];
    unsigned count = 0;
    for (char **word = words + 3; *word != NULL; word++)
        hosts[count++] = host_of(*word);
    hosts[count] = NULL;
    return portmap_lease(count > 0 ? hosts : NULL, family_of(words[1]), type_of(words[2]));
}

static int find_unused(char **words)
{
    return portmap_find_unused(family_of(words[1]), type_of(words[2]));
}

static int release(char **words)
{
    return portmap_release((unsigned)number(words[1]));
}

static int reserve(char **words)
{
    return portmap_reserve((unsigned)number(words[1]));
}

static int is_free(char **words)
{
    return portmap_is_free((unsigned)number(words[1]));
}

static int bind_and_close(char **words)
{
    return portmap_bind((unsigned)number(words[1]), type_of(words[2]));
}

/* bind_port FAMILY TYPE [HOST [reuseaddr|reuseport]] */
static int bind_port(char **words)
{
    int fd = new_socket(words[1], words[2]), on = 1;
    if (words[3] != NULL && words[4] != NULL &&
        setsockopt(fd, SOL_SOCKET, strcmp(words[4], "reuseport") == 0 ? SO_REUSEPORT : SO_REUSEADDR, &on,
                   sizeof on) < 0)
        die(words[4]);
    int port = portmap_bind_port(fd, words[3] != NULL ? host_of(words[3]) : NULL);
    struct sockaddr_in6 address;
    socklen_t len = sizeof address;
    char text[INET6_ADDRSTRLEN];
    if (port > 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        bool is_v4 = address.sin6_family == AF_INET;
        inet_ntop(address.sin6_family, is_v4 ? (const void *)&v4->sin_addr : &address.sin6_addr, text,
                  sizeof text);
        printf("%s %s ", text, ntohs(address.sin6_port) == port ? "port" : "another port than");
    }
    close(fd);
    return port;
}

/* pool [SIZE]: prints as many ports of the pool as an array of that size holds, and how many there are. */
static int pool(char **words)
{
    static unsigned short ports[PORTS];
    char problem[400] = "";
    unsigned size = words[1] != NULL ? (unsigned)number(words[1]) : PORTS;
    memset(ports, 0, sizeof ports);
    int count = portmap_pool(ports, size, problem, sizeof problem);
    for (unsigned i = 0; i < PORTS && ports[i] != 0; i++)
        printf("%u ", ports[i]);
    if (*problem != '\0')
        printf("%s: ", problem);
    return count;
}

/* pool() without a buffer for the error text, then with a small one. */
static int silent_pool(char **words)
{
    char small[8];
    int count = portmap_pool(NULL, 0, NULL, 0);
    if (words[1] != NULL && portmap_pool(NULL, 0, small, sizeof small) < 0)
        printf("%s: ", small);
    return count;
}

static int ephemeral_range(char **words)
{
    (void)words;
    unsigned first = 0, last = 0;
    int error = portmap_ephemeral_range(&first, &last);
    printf("%u %u ", first, last);
    return error;
}

/* occupy FAMILY TYPE HOST PORT: binds a socket and keeps it. */
static int occupy(char **words)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(words[4]))};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number(words[4]))};
    int fd = new_socket(words[1], words[2]);
    if (family_of(words[1]) == AF_INET) {
        inet_pton(AF_INET, words[3], &v4.sin_addr);
        return bind(fd, (struct sockaddr *)&v4, sizeof v4) < 0 ? -errno : 0;
    }
    inet_pton(AF_INET6, words[3], &v6.sin6_addr);
    return bind(fd, (struct sockaddr *)&v6, sizeof v6) < 0 ? -errno : 0;
}

static int call(char *line);

/* child CALL: makes the call in a child of fork(2), which then ends. */
static int child(char **words)
{
    int status;
    char line[256] = "";
    for (char **word = words + 1; *word != NULL; word++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", word > words + 1 ? " " : "", *word);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        print(call(line));
        fflush(stdout);
        _exit(EXIT_SUCCESS);
    }
    if (waitpid(pid, &status, 0) < 0 || status != 0)
        die("child");
    return 0;
}

/* leave: puts the next child into a new pid namespace. */
static int leave(char **words)
{
    (void)words;
    return unshare(CLONE_NEWPID) < 0 ? -errno : 0;
}

/* shell COMMAND...: runs a shell command between two calls. */
static int shell(char **words)
{
    char line[1024] = "";
    for (char **word = words + 1; *word != NULL; word++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s ", *word);
    fflush(stdout);
    return system(line);
}

/* server [ADDRESS]: asks this port server from now on, or none. */
static int server(char **words)
{
    return words[1] != NULL ? setenv("PORTSERVER_ADDRESS", words[1], 1) : unsetenv("PORTSERVER_ADDRESS");
}

static void fork_and_wait(int signal)
{
    int status, saved = errno;
    (void)signal;
    pid_t pid = fork();
    if (pid == 0) {
        int port = portmap_pick(0);
        _exit(port < 0 && port != PORTMAP_EXHAUSTED);
    }
    if (waitpid(pid, &status, 0) == pid && status == 0)
        write(STDOUT_FILENO, "forked\n", 7);
    errno = saved;
}

/* fork_on_signal: forks at every SIGUSR1 from now on. */
static int fork_on_signal(char **words)
{
    const struct sigaction action = {.sa_handler = fork_and_wait};
    (void)words;
    return sigaction(SIGUSR1, &action, NULL);
}

static void *pick_cancelled(void *unused)
{
    pthread_cancel(pthread_self());
    portmap_pick(0);
    pthread_testcancel();
    return unused;
}

/* cancelled: picks in a thread with a pending cancellation. */
static int cancelled(char **words)
{
    pthread_t thread;
    void *result;
    (void)words;
    if (pthread_create(&thread, NULL, pick_cancelled, NULL) != 0 || pthread_join(thread, &result) != 0)
        die("thread");
    return result == PTHREAD_CANCELED ? 0 : 1;
}

/* hold: waits for a signal. */
static int hold(char **words)
{
    (void)words;
    puts("holding");
    fflush(stdout);
    pause();
    return 0;
}

static int descriptors(char **words)
{
    (void)words;
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* How many threads have each port. */
static atomic_int holders[PORTS];
static atomic_int doubles, failures;

static void give_back(int port)
{
    atomic_fetch_sub(&holders[port], 1);
    if (portmap_release((unsigned)port) != 0)
        atomic_fetch_add(&failures, 1);
}

static bool table_is_replaced; /* again and again, so that a call may fail for it */

static void *lease_and_release(void *unused)
{
    int held[HELD] = {0};
    for (unsigned round = 0; round < ROUNDS * HELD; round++) {
        int *port = &held[round % HELD];
        if (*port > 0)
            give_back(*port);
        *port = round % 2 ? portmap_pick(0) : portmap_find_unused(AF_INET, SOCK_STREAM);
        if (*port < 0)
            atomic_fetch_add(&failures, !(table_is_replaced && *port == PORTMAP_ETORN));
        else if (atomic_fetch_add(&holders[*port], 1) > 0)
            atomic_fetch_add(&doubles, 1);
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] > 0)
            give_back(held[i]);
    return unused;
}

/* threads [CHILDREN]: eight threads lease and release, and so many children meanwhile. Fails when two had the
 * same port at once. */
static int threads(char **words)
{
    pthread_t thread[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, lease_and_release, NULL) != 0)
            die("pthread_create");
    for (int left = number(words[1]); left > 0; left--) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            alarm(60);
            int port = portmap_pick(0);
            _exit(port < 0 || portmap_release((unsigned)port) != 0);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
            atomic_fetch_add(&failures, 1);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    if (atomic_load(&failures) + atomic_load(&doubles) == 0)
        return 0;
    printf("%d failed, %d times two had the same port\n", atomic_load(&failures), atomic_load(&doubles));
    exit(EXIT_FAILURE);
}

/* replaced SECONDS TABLE: the same for so long, while the table is removed again and again. */
static int replaced(char **words)
{
    pthread_t thread[THREADS];
    const struct timespec pause = {.tv_nsec = 500000};
    time_t end = time(NULL) + number(words[1]);
    unsigned times = 0;
    table_is_replaced = true;
    while (time(NULL) < end) {
        for (unsigned i = 0; i < THREADS; i++)
            if (pthread_create(&thread[i], NULL, lease_and_release, NULL) != 0)
                die("pthread_create");
        for (unsigned i = 0; i < 200; i++) {
            times += unlink(words[2]) == 0;
            nanosleep(&pause, NULL);
        }
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
    if (times > 100 && atomic_load(&failures) + atomic_load(&doubles) == 0)
        return 0;
    printf("%u times replaced, %d failed, %d times two had the same port\n", times, atomic_load(&failures),
           atomic_load(&doubles));
    exit(EXIT_FAILURE);
}

static int call(char *line)
{
    static const struct {
        const char *name;
        int (*function)(char **words);
    } calls[] = {{"pick", pick},
                 {"lease", lease},
                 {"find_unused", find_unused},
                 {"release", release},
                 {"reserve", reserve},
                 {"is_free", is_free},
                 {"bind", bind_and_close},
                 {"bind_port", bind_port},
                 {"pool", pool},
                 {"silent_pool", silent_pool},
                 {"ephemeral_range", ephemeral_range},
                 {"occupy", occupy},
                 {"child", child},
                 {"leave", leave},
                 {"shell", shell},
                 {"server", server},
                 {"fork_on_signal", fork_on_signal},
                 {"cancelled", cancelled},
                 {"hold", hold},
                 {"descriptors", descriptors},
                 {"threads", threads},
                 {"replaced", replaced}};
    char *words[MOST_WORDS] = {NULL}, *rest;
    unsigned count = 0;
    for (char *word = strtok_r(line, " ", &rest); word != NULL && count < MOST_WORDS - 1;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (count > 0 && strcmp(words[0], calls[i].name) == 0)
            return calls[i].function(words);
    die(line);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc && i <= MOST_RESULTS; i++) {
        results[i - 1] = call(argv[i]);
        print(results[i - 1]);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
