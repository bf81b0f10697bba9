/* without_feature NAME ANSWER COMMAND...: runs it under a filter that refuses what the trap asks of the kernel, as
 * an older kernel or a container's profile does: with an errno, or, where ANSWER is "kill", by the process's end.
 * Built statically: a library cannot be in the way. */
#include "show.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A call, and bits of an argument that make it the one that is refused; 0: any. */
static const struct feature {
    const char *name;
    unsigned call, argument, bits;
} features[] = {
    {"pidfd_getfd", SYS_pidfd_getfd, 0, 0},
    {"pidfd_open", SYS_pidfd_open, 0, 0},
    {"process_vm_readv", SYS_process_vm_readv, 0, 0},
    {"process_vm_writev", SYS_process_vm_writev, 0, 0},
    {"seccomp", SYS_seccomp, 0, 0},
    {"sendto", SYS_sendto, 0, 0},
    {"WAIT_KILLABLE_RECV", SYS_seccomp, 1, 1 << 5},
    {"SYNC_WAKE_UP", SYS_ioctl, 1, 0x40000000 /* SECCOMP_IOCTL_NOTIF_SET_FLAGS writes */},
    {"PIDFD_THREAD", SYS_pidfd_open, 1, 0200 /* O_EXCL */},
};

int main(int argc, char **argv)
{
    const struct feature *feature = features, *end = features + sizeof features / sizeof *features;
    while (argc > 3 && feature < end && strcmp(feature->name, argv[1]) != 0)
        feature++;
    if (argc <= 3 || feature == end)
        return 2;
    unsigned answer = strcmp(argv[2], "kill") == 0 ? SECCOMP_RET_KILL_PROCESS
                                                   : SECCOMP_RET_ERRNO | (unsigned)atoi(argv[2]);
    unsigned argument = (unsigned)(offsetof(struct seccomp_data, args) + feature->argument * sizeof(uint64_t));
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, feature->call, 0, feature->bits != 0 ? 3 : 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, feature->bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    if (feature->bits == 0) {
        rules[2] = rules[4];
        rules[3] = rules[5];
    }
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
    execvp(argv[3], argv + 3);
    return must(-1, "%s", argv[3]);
}
