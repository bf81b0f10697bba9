// copy NAME PORT: a server on the port, and a client that must reach this very server while all eight copies are there.
// Each copy says in the directory $ARRIVED that it has tried to bind.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES = 8, PATIENCE = 30 };

static int arrived(void)
{
    DIR *directory = opendir(".");
    int count = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    const char *place = getenv("ARRIVED");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3 || !place || chdir(place))
        die("usage: ARRIVED=DIRECTORY copy NAME PORT");
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    int failed = bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 5);
    close(open(argv[1], O_WRONLY | O_CREAT, 0666));
    if (failed)
        die("bind");
    for (int waited = 0; arrived() < COPIES; waited++) {
        if (waited == PATIENCE * 50) {
            fprintf(stderr, "not all copies have come\n");
            return 1;
        }
        usleep(1000000 / 50);
    }
    if (connect(client, (struct sockaddr *)&address, sizeof address))
        die("connect");
    char answer[100] = "";
    int connection = accept(server, NULL, NULL);
    if (connection < 0 || write(connection, argv[1], strlen(argv[1])) < 0 || read(client, answer, sizeof answer - 1) < 0)
        die("talk");
    if (strcmp(answer, argv[1])) {
        fprintf(stderr, "%s has reached %s\n", argv[1], answer);
        return 1;
    }
    return 0;
}
