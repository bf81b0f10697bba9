/*
 * raw_calls PORT tcp|udp: a server and its client on 127.0.0.1:PORT, in one process, that enter the kernel past libc.
 * Prints the ports that they see: of the server by getsockname(2); of the client's peer by getpeername(2), or of the
 * datagram's source by recvfrom(2).
 * raw_calls 0 io_uring: prints the errno of io_uring_setup(2).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
static long enter(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}
#elif defined __aarch64__
static long enter(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "write this for your machine"
#endif

static long must(long result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
        exit(1);
    }
    return result;
}

#define ENTER(what, number, a, b, c, d, e, f) \
    must(enter(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)), what)

static int open_socket(int type)
{
    return (int)ENTER("socket", SYS_socket, AF_INET, type, 0, 0, 0, 0);
}

static unsigned name(long number, int fd)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    ENTER("name", number, fd, &address, &len, 0, 0, 0);
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, source;
    socklen_t len = sizeof source;
    char byte = 0;
    if (argc != 3)
        return 2;
    if (strcmp(argv[2], "io_uring") == 0) {
        char parameters[120] = {0};
        printf("%s\n", strerror((int)-enter(425, 1, (long)parameters, 0, 0, 0, 0)));
        return 0;
    }
    int type = strcmp(argv[2], "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
    address.sin_port = htons((in_port_t)atoi(argv[1]));
    int server = open_socket(type), client = open_socket(type);
    ENTER("bind", SYS_bind, server, &address, sizeof address, 0, 0, 0);
    printf("%u\n", name(SYS_getsockname, server));
    if (type == SOCK_STREAM) {
        ENTER("listen", SYS_listen, server, 1, 0, 0, 0, 0);
        ENTER("connect", SYS_connect, client, &address, sizeof address, 0, 0, 0);
        printf("%u\n", name(SYS_getpeername, client));
    } else {
        /* The server sends to itself: it is its own client. */
        ENTER("sendto", SYS_sendto, server, &byte, 1, 0, &address, sizeof address);
        ENTER("recvfrom", SYS_recvfrom, server, &byte, 1, 0, &source, &len);
        printf("%u\n", ntohs(source.sin_port));
    }
    return 0;
}
