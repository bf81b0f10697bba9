/*
 * The seccomp filter of a trapped program: which of its system calls wait for the supervisor's answer. All
 * others pass; those of which no argument is looked at cost nothing but a bit test in the kernel.
 */
#ifndef SHIM_TRAP_FILTER_H
#define SHIM_TRAP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct filter_wish {
    bool datagrams;  /* calls that send to an address and that receive one are trapped, too */
    uint64_t cookie; /* bind, getsockname and getpeername pass with this as sixth argument (question.h) */
};

/*
 * Installs it in this thread, for this process and all that it starts. Without CAP_SYS_ADMIN, also sets
 * no_new_privs (prctl(2)). Returns the listener, close-on-exec, by which a supervisor receives and answers;
 * or a negated errno: -EBUSY when there is another listener for this process already, -EINVAL where the
 * kernel cannot keep signals from interrupting calls (before Linux 5.19).
 */
int filter_install(const struct filter_wish *wish);

#endif
