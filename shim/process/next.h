/*
 * The functions behind our wrappers: those of libc, or of the next preloaded library, as dlsym(RTLD_NEXT)
 * would find them (process/loaded.h). Each is looked up when it is first called, as most programs call few.
 */
#ifndef SHIM_PROCESS_NEXT_H
#define SHIM_PROCESS_NEXT_H

#include <dlfcn.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <wordexp.h>

struct next {
#define NEXT(name, result, parameters) result(*name) parameters;
#define LOADER(name, result, parameters) result(*name) parameters;
#include "process/interposed.h"
};

/* Those that were looked up so far; NULL: not yet, or libc does not have it. */
extern struct next next_functions;

/* Looks up the function whose place in struct next is at this offset. NULL when libc does not have it; no
 * program can have been linked against it. It calls no interposed function, as others call dlsym(3) before
 * libc is ready. Async-signal-safe after loaded_self(). */
void *next_find(size_t offset);

/* The function of that name in one struct next, looked up if need be. */
#define BEHIND(way, name) \
    ((way)->name != NULL ? (way)->name : (__typeof__((way)->name))next_find(offsetof(struct next, name)))

#endif
