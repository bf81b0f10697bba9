/* one_bind PORT: bind(), listen() and getsockname(), between two writes that mark them in a trace. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int wanted = argc == 2 ? atoi(argv[1]) : 0, fd = socket(AF_INET, SOCK_STREAM, 0), null = dup(STDOUT_FILENO);
    address.sin_port = htons((in_port_t)wanted);
    if (write(null, "begin", 5) != 5)
        return 1;
    int failed = bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0 ||
                 getsockname(fd, (struct sockaddr *)&address, &len) != 0;
    if (write(null, "end", 3) != 3)
        return 1;
    return failed || ntohs(address.sin_port) != wanted;
}
