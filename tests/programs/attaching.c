/*
 * attaching HOW PORT OTHER LAST ASKED GO: while the library joins a run in one thread, something else of the program binds.
 *
 * A thread binds PORT before any constructor has run (.preinit_array), which makes the library join. Once the file ASKED
 * has a second line, the library is in the middle of joining, and stays there until the file GO exists, which is made at
 * the last moment before the bind. Then, as HOW says:
 *     thread   another thread binds OTHER
 *     handler  a signal handler in the first thread binds OTHER
 *     jump     such a handler jumps out of the call, and the thread makes the call again
 *     cancel   the first thread is cancelled, and another one binds OTHER
 *     fork     a child binds OTHER
 *     clone    a child that was made without libc binds OTHER
 *     orphan   a child whose parent is killed binds OTHER
 *     vfork    a child of vfork(2) executes /bin/true
 * main() binds LAST. Prints what each bind returned, and errno after a successful one, which must not have changed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNTOUCHED = 12345 };

static const char *how, *asked, *go;
static int port, other, last;
static sigjmp_buf before_call;
static volatile sig_atomic_t jumped;
static pthread_t first;

/* By one write(2): stdio is not async-signal-safe. */
static void say(const char *who, const char *what)
{
    char line[128];
    int len = snprintf(line, sizeof line, "%s: %s\n", who, what);
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        _exit(3);
}

static void bind_and_say(const char *who, int number)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    errno = UNTOUCHED;
    int result = bind(fd, (struct sockaddr *)&address, sizeof address);
    say(who, result < 0 ? strerror(errno) : errno == UNTOUCHED ? "bound" : "bound, but errno is another");
}

/* Lets the library go on with joining. */
static void let_go_on(void)
{
    close(open(go, O_WRONLY | O_CREAT, 0600));
}

static void in_handler(int signal)
{
    (void)signal;
    if (strcmp(how, "jump") == 0 && !jumped) {
        jumped = 1;
        siglongjmp(before_call, 1);
    }
    bind_and_say("handler", other);
}

static void *in_first(void *argument)
{
    if (strcmp(how, "jump") == 0)
        sigsetjmp(before_call, 1);
    bind_and_say("first", port);
    return argument;
}

static void *in_second(void *argument)
{
    let_go_on();
    bind_and_say("second", other);
    return argument;
}

static void until_asked(void)
{
    char byte;
    for (int lines = 0; lines < 2;) {
        FILE *file = fopen(asked, "r");
        for (lines = 0; file != NULL && fread(&byte, 1, 1, file) == 1;)
            lines += byte == '\n';
        if (file != NULL)
            fclose(file);
        sched_yield();
    }
}

static void wait_for(pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        say("child", "failed");
}

static void in_child(pid_t child)
{
    if (child == 0) {
        if (strcmp(how, "orphan") == 0)
            kill(getppid(), SIGKILL);
        let_go_on();
        bind_and_say("child", other);
        _exit(0);
    }
    wait_for(child);
}

static void meanwhile(void)
{
    pthread_t second;
    if (strcmp(how, "thread") == 0 || strcmp(how, "cancel") == 0) {
        if (strcmp(how, "cancel") == 0)
            pthread_cancel(first);
        pthread_create(&second, NULL, in_second, NULL);
        pthread_join(second, NULL);
    } else if (strcmp(how, "handler") == 0 || strcmp(how, "jump") == 0) {
        pthread_kill(first, SIGUSR1);
        let_go_on();
    } else if (strcmp(how, "clone") == 0) {
        in_child((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
    } else if (strcmp(how, "vfork") == 0) {
        pid_t child = vfork();
        if (child == 0) {
            let_go_on();
            execl("/bin/true", "true", NULL);
            _exit(1);
        }
        wait_for(child);
        say("child", "executed");
    } else {
        in_child(fork());
    }
}

static void before_constructors(int argc, char **argv, char **environment)
{
    environ = environment; /* libc's constructor, which sets it, has not run yet */
    if (argc != 7)
        _exit(2);
    how = argv[1];
    port = atoi(argv[2]);
    other = atoi(argv[3]);
    last = atoi(argv[4]);
    asked = argv[5];
    go = argv[6];
    signal(SIGUSR1, in_handler);
    pthread_create(&first, NULL, in_first, NULL);
    until_asked();
    meanwhile();
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char **, char **) = before_constructors;

int main(void)
{
    bind_and_say("main", last);
    pthread_join(first, NULL);
    return 0;
}
