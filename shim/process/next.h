/*
 * The functions behind our wrappers: those of libc, or of the next preloaded library.
 *
 * They are looked up once by dlsym(RTLD_NEXT), in the constructor or in the first call if that comes earlier;
 * dlsym() itself is found in the tables of the loaded objects (process/loaded.h). The pointer of a function
 * that libc does not have stays NULL; no program can have been linked against it.
 */
#ifndef SHIM_PROCESS_NEXT_H
#define SHIM_PROCESS_NEXT_H

#include <dlfcn.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>
#include <wordexp.h>

struct next {
#define NEXT(name, result, parameters) result(*name) parameters;
#define LOADER(name, result, parameters) result(*name) parameters;
#include "process/interposed.h"
    /* libc's own, which have no wrapper: for process/refill.c. */
    void (*makecontext)(ucontext_t *, void (*)(void), int, ...);
    int (*swapcontext)(ucontext_t *, const ucontext_t *);
};

/* Resolves the functions of the dynamic linker. It calls no interposed function, as others call dlsym(3)
 * before libc is ready. */
void next_resolve_loader(void);

/* Resolves all functions; does nothing when that is done. */
void next_resolve(void);

extern struct next next_functions;

#endif
