/*
 * dlopen(3) and dlmopen(3). A library that is loaded with RTLD_DEEPBIND looks for functions in itself and in
 * what it needs before it looks here, and so calls libc's own; while a run is in force the flag is taken
 * away, but where PORTSHIM_DEEPBIND says "keep". One in another namespace has another libc, which nothing
 * stands in front of. All three are noted in the map, for portshim-ls(1).
 */
#ifndef SHIM_DLOPEN_H
#define SHIM_DLOPEN_H

#include <stdbool.h>

/* Notes the value of PORTSHIM_DEEPBIND, NULL when it is unset; false when it is none. */
bool dlopen_init(const char *setting);

#endif
