#include "kernel.h"

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len);
}
