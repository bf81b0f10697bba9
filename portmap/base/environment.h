/*
 * Looking variables up in a given environment, as getenv(3) does in environ: libportshim.so reads the one
 * that its constructor was given, before the program could change it.
 */
#ifndef PORTMAP_BASE_ENVIRONMENT_H
#define PORTMAP_BASE_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the kernel gave this program rights that its caller does not have: set-user-ID, set-group-ID,
 * capabilities (getauxval(3), AT_SECURE). Its variables are not to move what it reads or writes. */
bool environment_is_anothers(void);

/* The value of NAME in env, a NULL terminated array of NAME=VALUE; NULL when absent, or env is NULL. */
const char *environment_get(char *const *env, const char *name);

/* The same for our own variables: an empty value counts as absent, and so does any where the environment is
 * another's. */
const char *environment_get_nonempty(char *const *env, const char *name);

#endif
