/*
 * The rewritten calls. Each call_NAME() is told by which functions it reaches the kernel, its `way`: those of
 * libc, which are cancellation points (next()), libc's syscall(), which is none (calls/syscall.c), or those
 * for a 64-bit time_t (calls/time64.c).
 */
#ifndef SHIM_CALLS_CALLS_H
#define SHIM_CALLS_CALLS_H

#include "process/next.h"
#include "process/supervised.h"
#include "rules/rules.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

/*
 * Where the kernel guards itself against Spectre, the processor mispredicts the returns after a system call:
 * each function of ours around the call costs 10 ns. A wrapper usually ends in a jump to its call_NAME(),
 * which costs nothing. One with too many arguments for a jump has the body inlined, as has its call_NAME().
 */
#define INLINED static inline __attribute__((always_inline))

/*
 * Copies an address that the program hands to the kernel, and sets out->placeholder and out->error to 0. True
 * when the rules concern it: all of it is copied. False when they do not or it cannot be read: at most its
 * first ADDRESS_HEAD bytes are copied.
 */
bool call_copy(struct outbound *out, const struct sockaddr *address, socklen_t len, enum rule_use use);

/* The address for the kernel, and its length: the copy if the rules have put a real port into it, else the
 * program's. */
static inline const struct sockaddr *call_address(struct outbound *out, const struct sockaddr *address)
{
    if (out->placeholder == 0)
        return address;
    supervised_mark(out);
    return &out->to.any;
}

/* Fails the call as the rules say: sets errno and returns -1. */
int call_refused(const struct outbound *out);

/* Whether the program sees placeholders: a run is in force, without --reveal. */
bool call_shows(void);

/* Before a call that writes an address: the size of the program's buffer, 0 if nothing is translated. */
socklen_t call_room(const struct sockaddr *address, const socklen_t *len);

enum { CALL_BATCH = 16 /* messages copied to the stack at a time */ };

/* How many messages can be read, from the first on: the kernel handles those before an unreadable one. */
unsigned call_readable_messages(const struct mmsghdr *messages, unsigned count);

int call_prctl(const struct next *way, int option, unsigned long a, unsigned long b, unsigned long c,
               unsigned long d);
/* seccomp(2), which only comes by syscall(2). */
long call_seccomp(unsigned operation, unsigned flags, void *arguments);
int call_socket(const struct next *way, int family, int type, int protocol);
int call_bind(const struct next *way, int fd, const struct sockaddr *address, socklen_t len);
int call_listen(const struct next *way, int fd, int backlog);
int call_connect(const struct next *way, int fd, const struct sockaddr *address, socklen_t len);
int call_getsockname(const struct next *way, int fd, struct sockaddr *address, socklen_t *len);
int call_getpeername(const struct next *way, int fd, struct sockaddr *address, socklen_t *len);
int call_accept(const struct next *way, int fd, struct sockaddr *address, socklen_t *len);
int call_accept4(const struct next *way, int fd, struct sockaddr *address, socklen_t *len, int flags);
ssize_t call_sendto(const struct next *way, int fd, const void *bytes, size_t size, int flags,
                    const struct sockaddr *address, socklen_t len);
ssize_t call_sendmsg(const struct next *way, int fd, const struct msghdr *message, int flags);
int call_sendmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t call_recvfrom(const struct next *way, int fd, void *bytes, size_t size, int flags,
                      struct sockaddr *address, socklen_t *len);
ssize_t call_recvmsg(const struct next *way, int fd, struct msghdr *message, int flags);
int call_recvmmsg(const struct next *way, int fd, struct mmsghdr *messages, unsigned count, int flags,
                  struct timespec *timeout);

/* landlock_add_rule(2), which only comes by syscall(2). Older headers do not have its number. */
#ifndef SYS_landlock_add_rule
#define SYS_landlock_add_rule 445 /* on every machine but alpha */
#endif
long call_landlock_add_rule(long ruleset, long type, long rule, long flags);

#endif
