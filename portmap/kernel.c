#include "kernel.h"

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return connect(fd, address, len);
}
