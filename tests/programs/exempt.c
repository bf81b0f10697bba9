/*
 * exempt PORT: a trapped program that tells its supervisor that it is the command portshim, and binds the port. Prints
 * the port that the kernel then says it has.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct {
        char magic[16];
        uint32_t ask, answer;
        uint64_t run_id, cookie;
    } question = {.magic = "portshim trap 1", .ask = 2 /* TRAP_EXEMPT of shim/trap/question.h */};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    syscall(SYS_bind, -1, &question, sizeof question, 0, 0, 0);
    if (question.answer != 1 || bind(fd, (struct sockaddr *)&in, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0) {
        perror("exempt");
        return 1;
    }
    printf("%u\n", ntohs(in.sin_port));
    return 0;
}
