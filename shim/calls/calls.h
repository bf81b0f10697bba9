/*
 * Each rewritten call, told by which way it reaches the kernel: libc's functions, which are cancellation
 * points, or libc's syscall(), which is not. Both are the same but for the way; only syscall.c uses another
 * than next().
 */
#ifndef SHIM_CALLS_CALLS_H
#define SHIM_CALLS_CALLS_H

#include "process/next.h"
#include "rules/rules.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

/*
 * A return that follows a system call is mispredicted where the kernel guards itself against Spectre: each of
 * our frames around one costs 10 ns. Of a wrapper with so many arguments that it cannot end in a jump to its
 * call_...(), the body is inlined into both.
 */
#define INLINED static inline __attribute__((always_inline))

/*
 * Copies an address that a caller hands to the kernel: true when it is one for the rules, whole, and false
 * when it is none of ours, or cannot be read; then its first ADDRESS_HEAD bytes are there at most.
 */
bool call_copy(struct outbound *out, const struct sockaddr *address, socklen_t len, enum rule_use use);

/* What the kernel is told: the copy where the rules have put a real port in it, else the caller's own. */
static inline const struct sockaddr *call_address(const struct outbound *out, const struct sockaddr *address)
{
    return out->placeholder != 0 ? &out->to.any : address;
}

/* A call that the rules say fails: -1, with errno. */
int call_refused(const struct outbound *out);

/* Whether the program is shown placeholders at all. */
bool call_shows(void);

/* Before a call that writes an address to the caller's buffer: how much room the caller gives, 0 when there
 * is nothing to translate in it. */
socklen_t call_room(const struct sockaddr *address, const socklen_t *len);

enum { CALL_BATCH = 16 /* messages that are copied at a time, on the stack */ };

/* How many messages may be looked at: those before an unreadable one are handled by the kernel all the same.
 */
unsigned call_readable_messages(const struct mmsghdr *messages, unsigned count);

int call_prctl(const struct next *way, int option, unsigned long a, unsigned long b, unsigned long c,
               unsigned long d);
long call_seccomp(unsigned operation, unsigned flags,
                  void *arguments); /* libc has no function of this name */
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

/* landlock_add_rule(2), which only comes by syscall(2). Headers may be older than it. */
#ifndef SYS_landlock_add_rule
#define SYS_landlock_add_rule 445 /* on every machine but alpha */
#endif
long call_landlock_add_rule(long ruleset, long type, long rule, long flags);

#endif
