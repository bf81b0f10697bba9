/*
 * Carrying the run across exec: an environment that has lost the run is repaired for the new program.
 *
 * nginx execs itself with two variables, inetd and systemd with a fresh environment, scripts with env -i.
 * What is missing is put back: this library in LD_PRELOAD, first in the list (but behind a sanitizer's
 * runtime, which must be first; other items are kept), PORTSHIM_RUN, and PORTSHIM_COMPACT (run/compact.h).
 * The name of another run is kept. An environment with PORTSHIM=0 is left alone.
 *
 * Callable between vfork(2) and exec, in any thread and signal handler: allocates nothing, and writes only to
 * the caller's stack and borrowed memory (process/borrow.h).
 */
#ifndef SHIM_PROCESS_CARRY_H
#define SHIM_PROCESS_CARRY_H

#include "run/compact.h"
#include "run/texts.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Notes where ld.so found this library. False when LD_PRELOAD cannot carry that path: it has a space or a
 * colon. Call loaded_self() (process/loaded.h) before, and this before the others. */
bool carry_init(void);

/* The absolute path of this library, as far as LD_PRELOAD had it. */
const char *carry_library(void);

/* Room for a path, PATH_MAX bytes, until the next two functions write there. Programs touch it anyway. */
char *carry_room(void);

/* The same for one more path, in memory that programs do not touch otherwise; carry_map() uses it, too. */
extern char carry_outer[PATH_MAX];

/* Notes the run and the value of PORTSHIM_COMPACT. False when they are too long. Neither may lie where
 * carry_run_variable() points to. */
bool carry_run(const char *run_path, const char *compact);

/* The same; the value of PORTSHIM_COMPACT is made from the map, from the secret, from the runs around this
 * one, which `around` lists (another value of PORTSHIM_COMPACT, or NULL: then the map's texts do), and from
 * what it is to say about the trap. */
bool carry_map(const char *run_path, const struct map *map, const char *secret, const char *around,
               const struct compact_trap *trap);

/* The noted value of PORTSHIM_COMPACT. */
const char *carry_compact(void);

/* The noted run as PORTSHIM_RUN=..., in static memory; NULL when none is noted. */
char *carry_run_variable(void);

/* What an environment has of ours. It is read only once, as another thread may change it at any time. */
struct carry {
    char *const *environment;
    size_t count; /* entries, without the NULL at the end */
    const char *preload;
    size_t preload_length;
    bool has_run, has_compact, other_run, off;
};

struct carry carry_look(char *const environment[]);

/* The size of the repaired environment in bytes; 0 when there is nothing to repair. */
size_t carry_size(const struct carry *carry);

/* Writes the repaired environment into space[carry_size()] and returns it. */
char *const *carry_write(void *space, const struct carry *carry);

/* An environment to start a program with. */
struct carried {
    char *const *environment;
    void *borrowed; /* its memory, unless that is on a stack */
    bool no_memory; /* nothing could be borrowed; errno is ENOMEM */
    bool leaves;    /* the run: it says PORTSHIM=0; or it cannot be read, and exec will fail */
    bool other_run; /* it names another run than this process is in */
};

/* A larger environment is not put on the stack: a thread's may have 16 KiB. */
enum { CARRY_ON_STACK = 4096 };

/* Repairs into stack[size], or into borrowed memory if stack is NULL; size is carry_size(), 0: no repair. */
struct carried carry_into(void *stack, size_t size, const struct carry *carry);

/* Returns the borrowed memory, when this process goes on after the call. Leaves errno alone. */
void carry_end(const struct carried *carried);

/*
 * The environment to use instead of `given` (struct carried). This is a macro since a small one is put on the
 * calling function's own stack. Call carry_end() after the call that the environment is for.
 */
#define CARRY(given)                                                                              \
    __extension__({                                                                               \
        struct carry carry_found = carry_look(given);                                             \
        size_t carry_needs = carry_size(&carry_found);                                            \
        bool carry_fits = carry_needs > 0 && carry_needs <= CARRY_ON_STACK;                       \
        carry_into(carry_fits ? __builtin_alloca(carry_needs) : NULL, carry_needs, &carry_found); \
    })

#endif
