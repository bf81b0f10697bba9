/*
 * Functions looked up in the symbol tables of the objects that ld.so has loaded. dlsym(3) cannot be asked for
 * all of them: it is interposed itself.
 *
 * The only function of libc that is called is dladdr1(3). A sanitizer's runtime interposes many others, and
 * calls dlsym(3) to find them before it is ready itself. The list of objects is read without a lock.
 */
#ifndef SHIM_PROCESS_LOADED_H
#define SHIM_PROCESS_LOADED_H

#include <stdbool.h>

struct link_map;

/* This library in the list of loaded objects. */
const struct link_map *loaded_self(void);

/* A function that an object exports under its default version, or without one; NULL when there is none. */
void *loaded_function(const struct link_map *object, const char *name);

/* The first of that name in the objects after this library; NULL when there is none. */
void *loaded_next_function(const char *name);

/* Whether another copy of this library comes before this one in the list. */
bool loaded_second_copy(void);

#endif
