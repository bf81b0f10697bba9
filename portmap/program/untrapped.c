#include "program/untrapped.h"

#define IN_SHORT_AND_IN_FULL(why, remedy) \
    {                                     \
        why, remedy, why, remedy          \
    }

const struct obstacle *untrapped_obstacle(enum untrapped reason)
{
    static const struct obstacle obstacles[UNTRAPPED_KINDS] = {
        [UNTRAPPED_OFF] = IN_SHORT_AND_IN_FULL("the trap is off", "use --trap=auto"),
        [UNTRAPPED_KERNEL] = {"the kernel has no trap", "use Linux 5.19 or newer",
                              "the kernel has no seccomp notifications that signals do not interrupt",
                              "use Linux 5.19 or newer with CONFIG_SECCOMP_FILTER"},
        [UNTRAPPED_FILTER] = {"seccomp is refused", "see portshim doctor",
                              "seccomp(2) is refused (a container's profile?)",
                              "allow seccomp(2) with a listener in that profile"},
        [UNTRAPPED_OCCUPIED] =
            {"another supervisor's trap is in force", "start the run outside of it",
             "another supervisor's seccomp listener is in force, and there can be one only",
             "start the run outside of what that supervises"},
        [UNTRAPPED_MEMORY] =
            {"process_vm_readv is refused", "see portshim doctor",
             "process_vm_readv(2) or process_vm_writev(2) is refused (a container's profile?)",
             "give it CAP_SYS_PTRACE"},
        [UNTRAPPED_DESCRIPTORS] = {"pidfd_getfd is refused", "see portshim doctor",
                                   "pidfd_getfd(2) is refused (a container's profile?)",
                                   "give it CAP_SYS_PTRACE"},
        [UNTRAPPED_YAMA] = {"Yama's ptrace_scope is too high", "set kernel.yama.ptrace_scope to 1",
                            "Yama's ptrace_scope lets this user look into no process",
                            "set kernel.yama.ptrace_scope to 1"},
        [UNTRAPPED_COMMAND] = IN_SHORT_AND_IN_FULL("portshim cannot be executed where it starts",
                                                   "make the command visible there"),
        [UNTRAPPED_PROCESSES] =
            IN_SHORT_AND_IN_FULL("there is no room for a supervisor", "allow more processes or memory"),
        [UNTRAPPED_OTHER] = IN_SHORT_AND_IN_FULL("it could not be trapped", "see portshim doctor"),
        [UNTRAPPED_ELSEWHERE] =
            IN_SHORT_AND_IN_FULL("it uses another network namespace", "start a run in that namespace"),
        [UNTRAPPED_UNREADABLE] = IN_SHORT_AND_IN_FULL("its memory may not be read", "start the run as root"),
    };
    return reason > UNTRAPPED_UNSAID && reason < UNTRAPPED_KINDS ? &obstacles[reason] : NULL;
}
