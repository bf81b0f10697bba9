/*
 * What the test programs print: everything that a program can see of a call, so that one that is wrapped can
 * be compared with one that is not.
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

union name {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_storage storage;
};

/* The address that a text stands for, with this port; returns its length. */
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

/* A number, or the error's name. */
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

/* For what must succeed if the test is to mean anything. */
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

#endif
