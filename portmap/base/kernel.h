/*
 * System calls made by number, past libc's functions for them. A preloaded library may have replaced those:
 * our own rewrites the ports of socket calls, fakeroot(1) lies about users and owners. And some of them are
 * points where a thread can be cancelled; none of these is.
 *
 * All leave errno alone and return a negated errno when they fail. Async-signal-safe.
 */
#ifndef PORTMAP_BASE_KERNEL_H
#define PORTMAP_BASE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Numbers that older headers, such as Debian 11's, do not have; the same on every machine but alpha. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/*
 * Makes any system call; arguments as for syscall(2). libportmap.a has kernel_call.c, which calls libc's
 * syscall(). libportshim.so exports a wrapper of that name, so it has a kernel_call() of its own that goes
 * past the wrapper.
 */
long kernel_call(long number, ...);

int kernel_socket(int family, int type, int protocol);
int kernel_bind(int fd, const struct sockaddr *address, socklen_t len);
int kernel_connect(int fd, const struct sockaddr *address, socklen_t len);
int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/* open(2) for reading, without waiting for the writer of a FIFO; pread(2); close(2). */
int kernel_open(int dirfd, const char *path);
ssize_t kernel_pread(int fd, void *to, size_t size, off_t at);
void kernel_close(int fd);

/* Closes two descriptors, of which one or both may be -1; by one system call if the second is the next number
 * after the first. */
void kernel_close_both(int first, int second);

/* geteuid(2); getegid(2); whether PR_SET_NO_NEW_PRIVS (prctl(2)) keeps exec from changing user and group. */
uid_t kernel_euid(void);
gid_t kernel_egid(void);
bool kernel_has_no_new_privs(void);

/* As fstatat(2), but fills in only: type and mode, owner and group, size, device and inode number, and the
 * times. */
int kernel_stat(int dirfd, const char *path, int flags, struct stat *file);

/* What tells an open file from all others. */
struct kernel_file {
    mode_t mode;
    uint64_t device, inode;
    uint64_t special; /* of a device file: makedev(3) of the device */
    uint64_t born; /* when the file was made, in nanoseconds since 1970; 0: the file system does not tell */
};

/* Fills in *file, without asking a file server. Before Linux 4.11 it fails. */
int kernel_identify(int fd, struct kernel_file *file);

/* The owner of an open file, (uid_t)-1 when unknown; whether executing the file gives capabilities. */
uid_t kernel_owner(int fd);
bool kernel_has_capabilities(int fd);

#endif
