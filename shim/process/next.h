/*
 * The functions that our wrappers stand in front of: libc's own, or those of the next preloaded library.
 *
 * Found once with dlsym(RTLD_NEXT), by the constructor or by the first call if one comes earlier, and dlsym
 * itself in the tables of the loaded objects. A name that libc does not have stays NULL; nothing can have
 * been linked against it.
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
    /* Those of libc itself, which have no wrapper: refill.c. */
    void (*makecontext)(ucontext_t *, void (*)(void), int, ...);
    int (*swapcontext)(ucontext_t *, const ucontext_t *);
};

/* Resolves those of the dynamic linker, which need no other function for it: others ask for them before libc
 * is at work. */
void next_resolve_loader(void);

/* Resolves every name; nothing happens the second time. */
void next_resolve(void);

extern struct next next_functions;

#endif
