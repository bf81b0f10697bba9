/*
 * A call that a thread of a trapped program waits in, as the filter's notification tells it (seccomp(2),
 * seccomp_unotify(2)).
 */
#ifndef SHIM_TRAP_CALL_H
#define SHIM_TRAP_CALL_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum call_name {
    CALL_NONE,
    CALL_BIND,
    CALL_LISTEN,
    CALL_CONNECT,
    CALL_GETSOCKNAME,
    CALL_GETPEERNAME,
    CALL_SENDTO,
    CALL_SENDMSG,
    CALL_SENDMMSG,
    CALL_RECVFROM,
    CALL_RECVMSG,
    CALL_RECVMMSG,
};

struct call {
    uint64_t id;  /* of the notification */
    pid_t thread; /* the waiting thread, gettid(2) in the supervisor's pid namespace; 0: not in it */
    enum call_name name;
    bool is_narrow;       /* i386: pointers and sizes have 32 bits, and structures are laid out accordingly */
    bool is_time64;       /* recvmmsg_time64(2) of i386 */
    bool lacks_arguments; /* those of socketcall(2) could not be read */
    uint64_t arguments[6];
};

/* How a call goes on. */
struct answer {
    enum { ANSWER_VALUE, ANSWER_CONTINUE, ANSWER_LATER } how;
    int64_t value; /* ANSWER_VALUE: what the call returns; negative: an errno */
};

/* The kernel makes the call as if nothing had happened. */
#define CONTINUE_CALL ((struct answer){.how = ANSWER_CONTINUE})
/* Somebody has noted the call and will answer it: another thread, or the supervisor when data has come. */
#define ANSWERED_LATER ((struct answer){.how = ANSWER_LATER})

static inline struct answer answer_value(int64_t value)
{
    return (struct answer){.how = ANSWER_VALUE, .value = value};
}

/* Decodes what was received. socketcall(2) of i386 has its arguments in memory: they are read from there. */
void call_decode(struct call *call, const struct seccomp_notif *received);

#endif
