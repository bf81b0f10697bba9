/*
 * wants_port WORD...: does what each word says, one after another, and prints what came of it on stdout.
 *
 *     PORT     binds 127.0.0.1:PORT for TCP, and prints the number and the error
 *     device NAME, share  from now on the sockets are bound to that device, or share ports (SO_REUSEPORT)
 *     again PORT  binds a socket that has another port already
 *     close    closes stderr
 *     data     opens the file "data" where stderr was closed
 *     filter   installs a seccomp filter that allows all but ppoll, writev and pwritev2: these kill
 *     pending  blocks SIGPIPE and raises it; "signals" prints what is blocked and pending
 *     limit    lets no file grow
 *     nobody   becomes another user
 *     raw, cooked  the mode of the terminal at stderr
 *     hear     waits for a line on stdin
 *     stay     waits for a signal
 *     fork     goes on in a child, which it waits for
 *     vfork    executes the rest as a command in such a child, and waits for it
 */
#include "show.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

static const char *device = "";
static int shares;

static void want(unsigned port, int again)
{
    union name name;
    socklen_t len = make_name(&name, "127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (*device != '\0')
        must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)), "device");
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shares, sizeof shares), "share");
    if (again)
        must(listen(fd, 1), "listen"); /* the kernel chooses a port */
    errno = 0;
    int result = bind(fd, &name.any, len);
    printf("%u: %s\n", port, result == 0 ? "bound" : strerror(errno));
    close(fd);
}

static void install_filter(void)
{
#define KILL(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
    struct sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                  KILL(ppoll), KILL(writev), KILL(pwritev2),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

static void show_signals(void)
{
    sigset_t blocked, pending;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    sigpending(&pending);
    for (int i = 1; i < 32; i++)
        if (sigismember(&blocked, i) || sigismember(&pending, i))
            printf("%s%s%s\n", strsignal(i), sigismember(&blocked, i) ? ", blocked" : "",
                   sigismember(&pending, i) ? ", pending" : "");
}

static void block_and_raise(void)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    sigprocmask(SIG_BLOCK, &one, NULL);
    raise(SIGPIPE);
}

static void set_canonical(int is_canonical)
{
    struct termios modes;
    must(tcgetattr(STDERR_FILENO, &modes), "tcgetattr");
    modes.c_lflag = is_canonical ? modes.c_lflag | ICANON : modes.c_lflag & (tcflag_t)~ICANON;
    must(tcsetattr(STDERR_FILENO, TCSANOW, &modes), "tcsetattr");
}

static void wait_for(pid_t child)
{
    int status = 0;
    must(waitpid(child, &status, 0), "waitpid");
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Returns how many words more it has taken. */
static int obey(char **words)
{
    static char line[64];
    const struct rlimit nothing = {0, RLIM_INFINITY};
    const char *word = *words;
    pid_t child;
    if (*word >= '0' && *word <= '9')
        want((unsigned)atoi(word), 0);
    else if (strcmp(word, "device") == 0)
        device = words[1];
    else if (strcmp(word, "share") == 0)
        shares = 1;
    else if (strcmp(word, "again") == 0)
        want((unsigned)atoi(words[1]), 1);
    else if (strcmp(word, "close") == 0)
        must(close(STDERR_FILENO), "close");
    else if (strcmp(word, "data") == 0)
        must(open("data", O_RDWR | O_CREAT, 0600), "data");
    else if (strcmp(word, "filter") == 0)
        install_filter();
    else if (strcmp(word, "pending") == 0)
        block_and_raise();
    else if (strcmp(word, "signals") == 0)
        show_signals();
    else if (strcmp(word, "limit") == 0)
        must(setrlimit(RLIMIT_FSIZE, &nothing), "setrlimit");
    else if (strcmp(word, "nobody") == 0)
        must(setuid(65534), "setuid");
    else if (strcmp(word, "raw") == 0 || strcmp(word, "cooked") == 0)
        set_canonical(*word == 'c');
    else if (strcmp(word, "hear") == 0)
        must(fgets(line, sizeof line, stdin) != NULL ? 0 : -1, "stdin");
    else if (strcmp(word, "stay") == 0)
        pause();
    else if (strcmp(word, "fork") == 0 && (child = fork()) != 0)
        wait_for(child);
    else if (strcmp(word, "vfork") == 0) {
        if ((child = vfork()) == 0) {
            execv(words[1], words + 1);
            _exit(127);
        }
        wait_for(child);
    }
    return strcmp(word, "device") == 0 || strcmp(word, "again") == 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++)
        i += obey(argv + i);
    return 0;
}
