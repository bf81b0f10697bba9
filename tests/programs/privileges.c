/*
 * What a program may not do, and must not do by its supervisor either: prints what each call says.
 *
 *     privileges PLACEHOLDER
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(const char *host, unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &in.sin_addr);
    return in;
}

static void say(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "success");
}

static void bind_to(const char *what, const char *host, unsigned port)
{
    struct sockaddr_in in = address(host, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    say(what, bind(fd, (struct sockaddr *)&in, sizeof in));
    close(fd);
}

/* A datagram to the placeholder with a control message that only the administrator may send. */
static void mark(unsigned port)
{
    struct sockaddr_in in = address("127.0.0.1", port);
    struct iovec iov = {"x", 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(uint32_t))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(uint32_t)), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_MARK}};
    struct msghdr message = {&in, sizeof in, &iov, 1, &control, sizeof control.room, 0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    memcpy(CMSG_DATA(&control.header), &(uint32_t){7}, sizeof(uint32_t));
    say("a datagram with a mark", sendmsg(fd, &message, 0));
    close(fd);
}

int main(int argc, char **argv)
{
    unsigned placeholder = argc > 1 ? (unsigned)atoi(argv[1]) : 8080;
    bind_to("port 81", "127.0.0.1", 81);
    bind_to("an address of another host", "192.0.2.1", placeholder);
    bind_to("the placeholder", "127.0.0.1", placeholder);
    mark(placeholder);
    return 0;
}
