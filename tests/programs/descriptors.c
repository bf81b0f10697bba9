/*
 * descriptors PORT: a socket has the same name for everybody who has a descriptor of it, however that was got.
 * Executed again with a descriptor, the program prints the name of that socket.
 */
#include "show.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned port;
static const char *self;

static void show_socket(const char *what, int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    printf("%s:", what);
    show_result(getsockname(fd, &name.any, &len));
    show_name(&name);
    putchar('\n');
    fflush(stdout);
}

static int listener(void)
{
    union name name;
    socklen_t len = make_name(&name, "127.0.0.1", port);
    int on = 1, fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, &name.any, len), "bind");
    must(listen(fd, 5), "listen");
    return fd;
}

static void reap(pid_t pid)
{
    int status = -1;
    waitpid(pid, &status, 0);
    if (status != 0)
        printf("child: status %d\n", status);
}

static void after_fork(int fd)
{
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        show_socket("in a child after fork", fd);
        _exit(0);
    }
    reap(pid);
}

/* The child binds; the parent only has the descriptor. */
static void bound_by_child(void)
{
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), on = 1;
    union name name;
    socklen_t len = make_name(&name, "127.0.0.1", port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    pid_t pid = must(fork(), "fork");
    if (pid == 0)
        _exit(bind(fd, &name.any, len) < 0);
    reap(pid);
    show_socket("bound by a child", fd);
    close(fd);
}

static void after_vfork(int fd)
{
    union name name = {0};
    socklen_t len = sizeof name;
    pid_t pid = vfork();
    if (pid == 0) {
        int failed = getsockname(fd, &name.any, &len);
        _exit(failed != 0);
    }
    reap(pid);
    printf("in a child after vfork:");
    show_name(&name);
    putchar('\n');
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    pid = vfork();
    if (pid == 0) {
        execle(self, self, "inherited after vfork and exec without environment", number, (char *)NULL,
               (char *[]){NULL});
        _exit(1);
    }
    reap(pid);
}

static void spawned(int fd)
{
    char number[16], what[] = "inherited by posix_spawn";
    char *argv[] = {(char *)self, what, number, NULL}, *empty[] = {NULL};
    pid_t pid;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 100);
    snprintf(number, sizeof number, "100");
    must(-posix_spawn(&pid, self, &actions, NULL, argv, empty), "posix_spawn");
    reap(pid);
    posix_spawn_file_actions_destroy(&actions);
}

static void duplicated(int fd)
{
    int copies[] = {dup(fd), dup2(fd, 200), dup3(fd, 201, O_CLOEXEC), fcntl(fd, F_DUPFD, 50)};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        show_socket("duplicated", copies[i]);
        close(copies[i]);
    }
}

/* The receiver of a descriptor has not seen the bind. */
static void passed(int fd)
{
    int ends[2];
    char byte = 'x', control[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    pid_t pid = must(fork(), "fork");
    if (pid == 0) {
        close(fd);
        must((int)recvmsg(ends[1], &message, 0), "recvmsg");
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
        show_socket("passed over a unix socket", fd);
        _exit(0);
    }
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    must((int)sendmsg(ends[0], &message, 0), "sendmsg");
    reap(pid);
    close(ends[0]);
    close(ends[1]);
}

static void *in_thread(void *fd)
{
    *(int *)fd = listener();
    return NULL;
}

static void by_thread(void)
{
    pthread_t thread;
    int fd = -1;
    pthread_create(&thread, NULL, in_thread, &fd);
    pthread_join(thread, NULL);
    show_socket("bound in a thread", fd);
    close(fd);
}

/* One of many threads, with a client and its own end of the connection. */
static void *connect_many(void *listening)
{
    long wrong = 0;
    union name name;
    socklen_t len = make_name(&name, "127.0.0.1", port);
    for (int i = 0; i < 100; i++) {
        union name own = {0}, peer = {0};
        socklen_t own_len = sizeof own, peer_len = sizeof peer;
        int client = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
        must(connect(client, &name.any, len), "connect");
        int connection = must(accept(*(int *)listening, NULL, NULL), "accept");
        wrong += getsockname(connection, &own.any, &own_len) != 0 || ntohs(own.ipv4.sin_port) != port;
        wrong += getpeername(client, &peer.any, &peer_len) != 0 || ntohs(peer.ipv4.sin_port) != port;
        close(client);
        close(connection);
    }
    return (void *)wrong;
}

static void by_many_threads(int fd)
{
    pthread_t threads[8];
    long wrong = 0;
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, connect_many, &fd);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong += (long)result;
    }
    printf("eight threads: %ld wrong names\n", wrong);
}

/* Closes all descriptors, as daemons do, and so any that the library might have kept. */
static void reopened(void)
{
    fflush(stdout);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    int fd = listener();
    printf("the lowest descriptor is %d\n", fd);
    show_socket("bound after all were closed", fd);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        show_socket(argv[1], atoi(argv[2]));
        return 0;
    }
    if (argc != 2)
        return 2;
    self = argv[0];
    port = (unsigned)atoi(argv[1]);
    int fd = listener();
    show_socket("at once", fd);
    after_fork(fd);
    after_vfork(fd);
    spawned(fd);
    duplicated(fd);
    passed(fd);
    by_many_threads(fd);
    close(fd);
    by_thread();
    bound_by_child();
    reopened();
    return 0;
}
