/*
 * The socket calls that the library makes on numbers as the kernel sees them.
 *
 * libportmap.a brings kernel.c, which calls libc. libportshim.so, where libc's names are its own wrappers,
 * brings its own implementation that goes past them; that is the reason for this header.
 */
#ifndef PORTMAP_KERNEL_H
#define PORTMAP_KERNEL_H

#include <sys/socket.h>

/* bind(2), connect(2); 0 or -1 with errno. */
int kernel_bind(int fd, const struct sockaddr *address, socklen_t len);
int kernel_connect(int fd, const struct sockaddr *address, socklen_t len);

#endif
