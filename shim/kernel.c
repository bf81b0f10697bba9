/* The library's own socket calls (portmap/kernel.h) go past our wrappers: its numbers are the kernel's
 * already. */
#include "kernel.h"

#include "next.h"

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return next_functions.bind(fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return next_functions.connect(fd, address, len);
}
