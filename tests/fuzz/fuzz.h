/*
 * What the fuzz targets share. Each file of tests/fuzz is a program that gives bytes from outside to one
 * reader of such bytes: `make fuzz` links it with libFuzzer, which makes up the bytes, and the suite with
 * replay.c, which reads them from the files of tests/fuzz/corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true whatever the input is; else the program ends, and the input is kept. */
#define must(condition)                                                               \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* The input as a string: up to its first NUL, in memory of its own that ends where the string does. */
__attribute__((unused)) static char *fuzz_string(const uint8_t *data, size_t size)
{
    char *string = strndup((const char *)data, size);
    must(string != NULL);
    return string;
}

/* The input as a file, which the next call changes. Returns its descriptor; path[32] leads to it. */
__attribute__((unused)) static int fuzz_file(const uint8_t *data, size_t size, char path[static 32])
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    must(lseek(fd, 0, SEEK_SET) == 0);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

/* Takes the next bytes of the input as a number; 0 at its end. */
__attribute__((unused)) static uint64_t fuzz_number(const uint8_t **data, size_t *size, unsigned bytes)
{
    uint64_t number = 0;
    for (; bytes > 0 && *size > 0; bytes--, --*size)
        number = number << 8 | *(*data)++;
    return number;
}

#endif
