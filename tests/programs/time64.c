/*
 * For a 32-bit libc with a 64-bit time_t: sends datagrams to itself at the port given, by sendmsg(), recvmsg(),
 * sendmmsg() and recvmmsg(). Prints the source port of each.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
    char byte = 'x';
    struct iovec bytes = {&byte, 1};
    struct timespec limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    self.sin_port = htons((in_port_t)(argc == 2 ? atoi(argv[1]) : 0));
    struct msghdr out = {.msg_name = &self, .msg_namelen = sizeof self, .msg_iov = &bytes, .msg_iovlen = 1};
    struct mmsghdr outs = {.msg_hdr = out};
    if (bind(fd, (struct sockaddr *)&self, sizeof self) != 0 || sendmsg(fd, &out, 0) != 1 || sendmmsg(fd, &outs, 1, 0) != 1)
        return 1;
    struct msghdr in = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &bytes, .msg_iovlen = 1};
    struct mmsghdr ins = {.msg_hdr = in};
    if (recvmsg(fd, &in, 0) != 1)
        return 1;
    printf("%d\n", ntohs(from.sin_port));
    if (recvmmsg(fd, &ins, 1, 0, &limit) != 1)
        return 1;
    printf("%d\n", ntohs(from.sin_port));
    return 0;
}
