/*
 * own_filter HOW PORT: installs a seccomp filter of its own, as a server does that confines itself, and then
 * serves: it binds the port and prints what came of it. HOW says what the filter does to calls: `few` allows
 * those that the program makes and kills it for any other, `errno` refuses bind(2) with EACCES, `log` allows
 * all by SECCOMP_RET_LOG, `listener` wants to be told of getppid(2).
 */
#include "show.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define ALLOW(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ONLY(name, what)                                                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, what), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

static long install(struct sock_filter *rules, unsigned short count, unsigned flags)
{
    struct sock_fprog program = {count, rules};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void confine(const char *how)
{
    struct sock_filter few[] = {NUMBER,
#ifdef SYS_socketcall
                                ALLOW(socketcall),
#endif
                                ALLOW(socket),
                                ALLOW(bind),
                                ALLOW(listen),
                                ALLOW(getsockname),
                                ALLOW(connect),
                                ALLOW(getpeername),
                                ALLOW(write),
                                ALLOW(close),
                                ALLOW(exit_group),
                                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    struct sock_filter refuse[] = {NUMBER, ONLY(bind, SECCOMP_RET_ERRNO | EACCES)};
    struct sock_filter tell[] = {NUMBER, ONLY(bind, SECCOMP_RET_LOG)};
    struct sock_filter hear[] = {NUMBER, ONLY(getppid, SECCOMP_RET_USER_NOTIF)};
    long result = -1;
    if (strcmp(how, "few") == 0)
        result = install(few, sizeof few / sizeof *few, 0);
    else if (strcmp(how, "errno") == 0)
        result = install(refuse, sizeof refuse / sizeof *refuse, 0);
    else if (strcmp(how, "log") == 0)
        result = install(tell, sizeof tell / sizeof *tell, 0);
    else if (strcmp(how, "listener") == 0)
        result = install(hear, sizeof hear / sizeof *hear, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    printf("filter");
    show_success(result);
}

int main(int argc, char **argv)
{
    static char buffer[1000];
    union name name;
    if (argc != 3)
        return 2;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    printf("%s:", argv[1]); /* stdio asks for the file's state once, before the filter */
    fflush(stdout);
    confine(argv[1]);
    int listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket"), client;
    socklen_t len = make_name(&name, "127.0.0.1", (unsigned)atoi(argv[2]));
    printf(", bind");
    show_result(bind(listener, &name.any, len));
    printf(", listen");
    show_result(listen(listener, 8));
    client = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
    printf(", connect");
    show_result(connect(client, &name.any, len));
    memset(&name, 0, sizeof name);
    len = sizeof name;
    if (getpeername(client, &name.any, &len) == 0)
        show_name(&name);
    memset(&name, 0, sizeof name);
    len = sizeof name;
    if (getsockname(listener, &name.any, &len) == 0)
        show_name(&name);
    putchar('\n');
    fflush(stdout);
    _exit(0);
}
