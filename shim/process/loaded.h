/*
 * What ld.so has loaded, and functions in the symbol tables of these objects. dlsym(3) cannot be asked for
 * all of them: it is interposed itself. It also takes ld.so's lock.
 *
 * No function of libc is called but getauxval(3) and, where the main program does not tell where the list of
 * objects is, dladdr1(3). A sanitizer's runtime interposes many others, and calls dlsym(3) to find them
 * before it is ready itself.
 *
 * The list is read without a lock. ld.so appends to it what dlopen(3) loads, and takes that out again; what
 * the program was started with, from the program itself to libc and beyond, stays where it is as long as the
 * process lives. A search ends at the first object that has the function. All functions that are looked for
 * here are libc's (libdl's before glibc 2.34), so none gets as far as an object that may be unloaded.
 */
#ifndef SHIM_PROCESS_LOADED_H
#define SHIM_PROCESS_LOADED_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The main program's program headers, and the address that the addresses in them are relative to. */
struct headers {
    const ElfW(Phdr) * first;
    size_t count;
    uintptr_t base;
};

/* False when they cannot be found. */
bool loaded_headers(struct headers *main);

/* This library in the list of loaded objects; NULL when it is not there. */
const struct link_map *loaded_self(void);

/* libc in that list; NULL when it is not glibc. */
const struct link_map *loaded_libc(void);

/* A function that an object exports under its default version, or without one; NULL when there is none. */
void *loaded_function(const struct link_map *object, const char *name);

/* What dlsym(RTLD_NEXT) would find: the first function of that name in the objects after this library; NULL
 * when there is none. */
void *loaded_next_function(const char *name);

/* Whether another copy of this library comes before this one in the list. */
bool loaded_second_copy(void);

#endif
