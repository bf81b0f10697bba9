/*
 * Looking variables up in a given environment, as getenv(3) does in environ: libportshim.so reads the one
 * that its constructor was given, before the program could change it.
 */
#ifndef PORTMAP_ENVIRONMENT_H
#define PORTMAP_ENVIRONMENT_H

#include <stddef.h>

/* The value of NAME in env, a NULL terminated array of NAME=VALUE; NULL when absent, or env is NULL. */
const char *environment_get(char *const *env, const char *name);

/* The same, but an empty value counts as absent, as portshim treats its own variables. */
const char *environment_get_nonempty(char *const *env, const char *name);

#endif
