/*
 * Carrying the run across exec: the environment of a new program gets back what makes it part of the run.
 *
 * nginx execs itself with two variables, inetd and systemd with a fresh environment, scripts with env -i.
 * What is put back where it is missing: this library in LD_PRELOAD, first (behind a sanitizer's runtime,
 * which insists on being first itself; the rest is kept), PORTSHIM_RUN and the private variable of compact.h.
 * An environment that names another run, or says PORTSHIM=0, is left alone.
 *
 * Callable between vfork(2) and exec, from any thread and signal handler: nothing is allocated, and nothing
 * written, but the caller's stack and borrowed memory (borrow.h).
 */
#ifndef SHIM_PROCESS_CARRY_H
#define SHIM_PROCESS_CARRY_H

#include "run/map.h"

#include <stdbool.h>
#include <stddef.h>

/* Asks the dynamic linker where this library is. Takes its lock; any thread may call it, at any time. */
void carry_find_library(void);

/* Notes this library's path, made absolute. False when LD_PRELOAD cannot carry it: a space or a colon in it.
 */
bool carry_init(void);

/* Notes the run; compact is the private variable's value. False when they are too long. */
bool carry_run(const char *run_path, const char *compact);

/* The same, with the private variable written from the map. */
bool carry_map(const char *run_path, const struct map *map);

/* PORTSHIM_RUN=... as noted, in static memory. */
char *carry_run_variable(void);

/* What an environment has of ours, found in one look: another thread may change it at any time. */
struct carry {
    char *const *environment;
    size_t count; /* entries, without the terminator */
    const char *preload;
    size_t preload_length;
    bool has_run, has_compact, other_run, off;
};

struct carry carry_look(char *const environment[]);

/* How many bytes the repaired environment takes, 0 when it is good as it is. */
size_t carry_size(const struct carry *carry);

/* Writes it into space[carry_size()] and returns it. */
char *const *carry_write(void *space, const struct carry *carry);

/* An environment to start a program with. */
struct carried {
    char *const *environment;
    void *borrowed; /* where it lies, unless on a stack */
    bool no_memory; /* there is none, and errno says so */
};

/* A larger one does not lie on the stack: a thread's may have 16 KiB. */
enum { CARRY_ON_STACK = 4096 };

/* Repairs into stack[size], or into borrowed memory where stack is NULL; size is carry_size(). */
struct carried carry_into(void *stack, size_t size, const struct carry *carry);

/* Gives back the memory, when no program was started in this process's place. errno is left alone. */
void carry_end(const struct carried *carried);

/*
 * The environment to use in place of `given`; a small one lies on the calling function's own stack, which is
 * why this is a macro. carry_end() follows the call that it is for.
 */
#define CARRY(given)                                                                              \
    __extension__({                                                                               \
        struct carry carry_found = carry_look(given);                                             \
        size_t carry_needs = carry_size(&carry_found);                                            \
        bool carry_fits = carry_needs > 0 && carry_needs <= CARRY_ON_STACK;                       \
        carry_into(carry_fits ? __builtin_alloca(carry_needs) : NULL, carry_needs, &carry_found); \
    })

#endif
