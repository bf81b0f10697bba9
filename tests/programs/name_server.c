/*
 * name_server PORT NUMBER: a DNS server that says 192.0.2.NUMBER to every question, one at a time. When it is
 * told to end (SIGTERM), it prints how many it has answered.
 */
#include "show.h"

#include <signal.h>

enum { HEAD = 12, ANSWER = 16, MOST = 512 };

static volatile sig_atomic_t ends;

/* It ends recvfrom(2), once more after a second if that had not been called yet. */
static void end(int number)
{
    (void)number;
    ends = 1;
    alarm(1);
}

int main(int argc, char **argv)
{
    unsigned char bytes[MOST + ANSWER];
    unsigned answered = 0;
    union name own, source;
    const struct sigaction action = {.sa_handler = end};
    if (argc != 3)
        return 2;
    socklen_t len = make_name(&own, "0.0.0.0", (unsigned)atoi(argv[1]));
    int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    must(bind(fd, &own.any, len), "bind");
    while (!ends) {
        len = sizeof source;
        ssize_t size = recvfrom(fd, bytes, MOST, 0, &source.any, &len);
        if (size < HEAD)
            continue;
        /* The question ends with its type and class, after its last label, which is empty. What may follow is
         * left out. */
        size_t at = HEAD;
        while (at < (size_t)size && bytes[at] != 0)
            at += 1U + bytes[at];
        at += 5;
        if (at > (size_t)size)
            continue;
        const unsigned char answer[ANSWER] = {0xc0, HEAD, 0, 1, 0,   1, 0, 0,
                                              0,    0,    0, 4, 192, 0, 2, (unsigned char)atoi(argv[2])};
        bytes[2] |= 0x80; /* an answer */
        bytes[3] = 0;
        memset(bytes + 6, 0, 6);
        bytes[7] = 1;
        memcpy(bytes + at, answer, ANSWER);
        must((int)sendto(fd, bytes, at + ANSWER, 0, &source.any, len), "sendto");
        answered++;
    }
    printf("answered %u\n", answered);
    return 0;
}
