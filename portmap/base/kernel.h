/*
 * System calls past whatever a program would see of them: socket calls on numbers as the kernel sees them,
 * calls that are points in libc where a thread can be cancelled, and whose a process or a file is, of which
 * another preloaded library, such as that of fakeroot(1), tells stories.
 *
 * All leave errno alone and return a negated errno where they fail. Async-signal-safe.
 */
#ifndef PORTMAP_BASE_KERNEL_H
#define PORTMAP_BASE_KERNEL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Any system call, its arguments as syscall(2) takes them. libportmap.a brings kernel_call.c, which calls
 * libc. libportshim.so, where libc's names are its own wrappers, brings one that goes past them.
 */
long kernel_call(long number, ...);

int kernel_socket(int family, int type, int protocol);
int kernel_bind(int fd, const struct sockaddr *address, socklen_t len);
int kernel_connect(int fd, const struct sockaddr *address, socklen_t len);
int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/* open(2) for reading, not waiting for a pipe's writer; pread(2); close(2). */
int kernel_open(int dirfd, const char *path);
ssize_t kernel_pread(int fd, void *to, size_t size, off_t at);
void kernel_close(int fd);

/* geteuid(2), getegid(2); whether exec gives this process no other user and no other group (prctl(2)). */
uid_t kernel_euid(void);
gid_t kernel_egid(void);
bool kernel_has_no_new_privs(void);

/* fstatat(2). Filled in are the type and mode, the owners, the device and inode number, and when it was
 * changed. */
int kernel_stat(int dirfd, const char *path, int flags, struct stat *file);

/* The owner of an open file, (uid_t)-1 when it cannot be known; whether it gives capabilities at exec. */
uid_t kernel_owner(int fd);
bool kernel_has_capabilities(int fd);

#endif
