/*
 * What the trap needs of the kernel, and what it makes use of where it is there. Each is tried in a process
 * made for that: a container's profile refuses calls of any kernel, or ends who makes them, and a version
 * number does not tell what a distribution has added.
 */
#ifndef SHIM_TRAP_FEATURES_H
#define SHIM_TRAP_FEATURES_H

#include "program/untrapped.h"

#include <stdbool.h>

/* An int is 0 where the feature is there, else a negated errno: -ENOSYS, -EPERM and the like as the kernel
 * says, -ECANCELED where the process that tried it was ended by that. */
struct trap_features {
    bool is_below_ours; /* this process is below a supervisor of portshim's: no second one is needed */
    /* Needed. */
    int filter;      /* a filter with a listener, whose calls no signal but SIGKILL interrupts (Linux 5.19) */
    int memory;      /* process_vm_readv(2) and process_vm_writev(2), of a child */
    int descriptors; /* pidfd_open(2) and pidfd_getfd(2), of a child */
    /* Without it, a program under the trap is another process than the one that was started. */
    int others; /* `memory`, of a process that is no descendant */
    /* Made use of. */
    int wake_up;       /* the listener's SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6) */
    int thread_pidfds; /* pidfd_open(2) of a thread (PIDFD_THREAD, Linux 6.9) */
    /* Around it. */
    bool takes_privileges; /* a trap sets no_new_privs, which is not set yet */
    int yama;              /* kernel.yama.ptrace_scope; -1: the kernel has no Yama */
};

/* Tries them all. 0, or a negated errno when there is no memory or no process for that. No child is left, and
 * no signal of one. */
int trap_features_try(struct trap_features *features);

/* What is missing most; UNTRAPPED_UNSAID when programs can be trapped. */
enum untrapped trap_features_lack(const struct trap_features *features);

#endif
