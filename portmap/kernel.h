/*
 * The calls that the library makes past whatever a program would see of them: socket calls on numbers as the
 * kernel sees them, reading, which in libc is a point where a thread can be cancelled, and whose a process or
 * a file is, of which another preloaded library, such as that of fakeroot(1), tells stories.
 *
 * libportmap.a brings kernel.c, which calls libc. libportshim.so, where libc's names are its own wrappers,
 * brings its own implementation that goes past them; that is the reason for this header.
 */
#ifndef PORTMAP_KERNEL_H
#define PORTMAP_KERNEL_H

#include <sys/socket.h>
#include <sys/types.h>

/* bind(2), connect(2); 0 or -1 with errno. */
int kernel_bind(int fd, const struct sockaddr *address, socklen_t len);
int kernel_connect(int fd, const struct sockaddr *address, socklen_t len);

/* getsockname(2). */
int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len);

/* open(2) for reading, not waiting for a pipe's writer; pread(2); close(2). */
int kernel_open(int dirfd, const char *path);
ssize_t kernel_pread(int fd, void *to, size_t size, off_t at);
void kernel_close(int fd);

/* geteuid(2); the owner of an open file, (uid_t)-1 when it cannot be known. */
uid_t kernel_euid(void);
uid_t kernel_owner(int fd);

#endif
