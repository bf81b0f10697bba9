/*
 * What test programs print: everything that a program can see of a call, so that the same program can be
 * compared wrapped and bare.
 */
#ifndef TESTS_SHOW_H
#define TESTS_SHOW_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

/* Makes an address of a text and a port; returns its length. */
static inline socklen_t make_name(union name *name, const char *text, unsigned port)
{
    memset(name, 0, sizeof *name);
    name->ipv4.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, text, &name->ipv4.sin_addr) == 1) {
        name->ipv4.sin_family = AF_INET;
        return sizeof name->ipv4;
    }
    memset(name, 0, sizeof *name);
    name->ipv6.sin6_port = htons((uint16_t)port);
    name->ipv6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, text, &name->ipv6.sin6_addr) == 1)
        return sizeof name->ipv6;
    fprintf(stderr, "not an address: %s\n", text);
    exit(2);
}

/* Prints a number, or the name of the error. */
static inline void show_result(long result)
{
    if (result < 0)
        printf(" %s", strerror(errno));
    else
        printf(" %ld", result);
}

/* The same where numbers differ from one run to the next, as those of descriptors do. */
static inline void show_success(long result)
{
    if (result < 0)
        show_result(result);
    else
        printf(" ok");
}

static inline void show_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    putchar(' ');
    for (size_t i = 0; i < size; i++)
        printf("%02x", at[i]);
}

static inline void show_name(const union name *name)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (name->any.sa_family == AF_INET)
        inet_ntop(AF_INET, &name->ipv4.sin_addr, text, sizeof text);
    else if (name->any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &name->ipv6.sin6_addr, text, sizeof text);
    printf(" [%s]:%u", text, ntohs(name->ipv4.sin_port));
}

/* Ends the program unless a call has succeeded on which the test depends. */
__attribute__((format(printf, 2, 3))) static inline int must(int result, const char *what, ...)
{
    va_list list;
    if (result >= 0)
        return result;
    int error = errno;
    va_start(list, what);
    vfprintf(stderr, what, list);
    va_end(list);
    fprintf(stderr, ": %s\n", strerror(error));
    exit(2);
}

/* Closes with a reset, so that no TIME_WAIT is left. */
static inline void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

#endif
