/*
 * A library whose constructor, which runs before that of a preloaded library, installs a handler of SIGALRM and lets
 * the signal come after DELAY microseconds (of the environment). The handler binds the port PORT.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

volatile sig_atomic_t handled;

static void handle(int signal)
{
    const char *port = getenv("PORT");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((in_port_t)(port != NULL ? atoi(port) : 0));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        _exit(1);
    close(fd);
    handled = signal;
}

__attribute__((constructor)) static void construct(void)
{
    const char *delay = getenv("DELAY");
    struct itimerval once = {.it_value = {.tv_usec = delay != NULL ? atoi(delay) : 1}};
    signal(SIGALRM, handle);
    setitimer(ITIMER_REAL, &once, NULL);
}
