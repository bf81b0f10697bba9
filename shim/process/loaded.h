/*
 * The objects that ld.so has loaded beside this library, read from their own tables: dlsym(3) is one of the
 * functions we stand in front of, so that it cannot be asked where it is.
 *
 * No function of libc is called for this but dladdr1(3): a sanitizer's runtime stands in front of many, and
 * asks dlsym(3) where they are before it can be called itself. The list is read when the process begins; no
 * lock is held meanwhile.
 */
#ifndef SHIM_PROCESS_LOADED_H
#define SHIM_PROCESS_LOADED_H

#include <stdbool.h>

struct link_map;

/* This library in that list. */
const struct link_map *loaded_self(void);

/* A function that an object exports under its default version, or without one; NULL when there is none. */
void *loaded_function(const struct link_map *object, const char *name);

/* The first of that name in the objects after this library; NULL when there is none. */
void *loaded_next_function(const char *name);

/* Whether another copy of this library comes before this one. */
bool loaded_second_copy(void);

#endif
