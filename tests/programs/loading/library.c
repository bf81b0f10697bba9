/* A library that calls bind() and dlopen() itself, so that its own symbol scope and RUNPATH decide. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

int bind_to(int fd, int port);
void *load(const char *file, int flags);

int bind_to(int fd, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(fd, (struct sockaddr *)&address, sizeof address);
}

void *load(const char *file, int flags)
{
    return dlopen(file, flags);
}
