/*
 * hold SOCKET PLACEHOLDER, in a run: announces the real port, which the environment names, to observer.py on a
 * connection that stays open until the process ends. Prints the port once the observer has noted it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char variable[64], line[16];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 3)
        return 2;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    snprintf(variable, sizeof variable, "PORTSHIM_PORT_%s", argv[2]);
    const char *port = getenv(variable);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (port == NULL || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return 1;
    int len = snprintf(line, sizeof line, "%s\n", port);
    if (write(fd, line, (size_t)len) != len)
        return 1;
    if (read(fd, line, 1) != 1) /* the observer's answer: noted */
        return 1;
    puts(port);
    fclose(stdout);
    pause();
    return 0;
}
