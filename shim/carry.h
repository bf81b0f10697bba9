/*
 * Carrying the run across exec: the environment of a new program gets back what makes it part of the run.
 *
 * nginx execs itself with two variables, inetd and systemd with a fresh environment, scripts with env -i.
 * What is put back where it is missing: this library in LD_PRELOAD, first (behind a sanitizer's runtime,
 * which insists on being first itself; the rest is kept), PORTSHIM_RUN and the private variable of compact.h.
 * An environment that names another run, or says PORTSHIM=0, is left alone.
 *
 * Callable between vfork(2) and exec, from any thread and signal handler: nothing is allocated but the
 * caller's stack, nothing is written but that.
 */
#ifndef SHIM_CARRY_H
#define SHIM_CARRY_H

#include "map.h"

#include <stdbool.h>
#include <stddef.h>

/* Notes this library's path, made absolute. False when LD_PRELOAD cannot carry it: a space or a colon in it.
 */
bool carry_init(void);

/* Notes the run; compact is the private variable's value. False when they are too long. */
bool carry_run(const char *run_path, const char *compact);

/* The same, with the private variable written from the map. */
bool carry_map(const char *run_path, const struct map *map);

/* PORTSHIM_RUN=... as noted, in static memory. */
char *carry_run_variable(void);

/* How much stack the repaired environment takes, 0 when it is good as it is. */
size_t carry_size(char *const environment[]);

/* Writes it into space[carry_size()] and returns it. */
char *const *carry_write(void *space, char *const environment[]);

/*
 * The environment to use in place of `environment`, on the calling function's own stack, which is why it is a
 * macro.
 */
#define CARRY(environment)                                                                        \
    __extension__({                                                                               \
        char *const *carry_given = (environment);                                                 \
        size_t carry_needs = carry_size(carry_given);                                             \
        carry_needs == 0 ? carry_given : carry_write(__builtin_alloca(carry_needs), carry_given); \
    })

#endif
