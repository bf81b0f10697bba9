/*
 * The memory and the descriptors of the thread that waits in a call.
 *
 * The thread's number may be another thread's by the time it is used: the one that waited may have been
 * killed. Before anything is done with what was read or taken, remote_waits() is asked. Once that is true,
 * what was read before it was the right thread's. Other threads of the program may change its memory at any
 * time: everything is read once.
 */
#ifndef SHIM_TRAP_REMOTE_H
#define SHIM_TRAP_REMOTE_H

#include "program/untrapped.h"
#include "trap/call.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* 0; -EFAULT where the program could not have read (written) it either; -EPERM when the kernel does not let
 * us look into this process (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS); -ESRCH when it has ended. */
int remote_read(const struct call *call, uint64_t address, void *to, size_t size);
int remote_write(const struct call *call, uint64_t address, const void *from, size_t size);

/* From and to several places at once, `count` at most IOV_MAX; as process_vm_readv(2), but -errno: how many
 * bytes, which are fewer than asked for where a page cannot be read (written). */
ssize_t remote_gather(const struct call *call, const struct iovec *places, unsigned count, void *to,
                      size_t size);
ssize_t remote_scatter(const struct call *call, const struct iovec *places, unsigned count, const void *from,
                       size_t size);

/*
 * What has kept us from serving a call since this was last asked, UNTRAPPED_UNSAID when nothing did. Not so a
 * bad pointer or descriptor, with which the kernel fails the call itself, or the end of the thread.
 */
enum untrapped remote_trouble(void);

/* A duplicate of a descriptor of the thread, close-on-exec, to be closed by the caller; or a negated errno.
 */
int remote_descriptor(const struct call *call, int fd);

/* Whether a socket is of the network namespace that this process is in. */
bool remote_is_here(int socket);

/* Whether the thread still waits in this very call. */
bool remote_waits(const struct call *call);

/* Answers a call: one that ANSWERED_LATER, from any thread. */
void remote_answer(const struct call *call, struct answer answer);

/* Before the first call: the listener, which remote_waits() and remote_answer() ask. */
void remote_init(int listener);

#endif
