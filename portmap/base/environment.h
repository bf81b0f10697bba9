/*
 * Looking up variables in a given environment array. libportshim.so reads the array that its constructor was
 * given: the program may change environ later.
 */
#ifndef PORTMAP_BASE_ENVIRONMENT_H
#define PORTMAP_BASE_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this program has rights that its caller lacks: set-user-ID, set-group-ID or capabilities
 * (getauxval(3), AT_SECURE). Its environment must then not decide which files it reads or writes. */
bool environment_is_anothers(void);

/* The value of NAME in env, a NULL-terminated array of NAME=VALUE. NULL when it is absent or env is NULL. */
const char *environment_get(char *const *env, const char *name);

/* The same for portshim's own variables: NULL also when the value is empty or environment_is_anothers(). */
const char *environment_get_nonempty(char *const *env, const char *name);

#endif
