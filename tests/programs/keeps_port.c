/* keeps_port PORT: a server at this port of 127.0.0.1. Prints its process's number, its parent's and the port that it
 * sees, and waits for a signal. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((unsigned short)(argc == 2 ? atoi(argv[1]) : 0));
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 5) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        perror(argv[0]);
        return 1;
    }
    printf("%d %d %d\n", getpid(), getppid(), ntohs(address.sin_port));
    fflush(stdout);
    pause();
    return 0;
}
