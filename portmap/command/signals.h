/*
 * Signals by their names.
 */
#ifndef PORTMAP_COMMAND_SIGNALS_H
#define PORTMAP_COMMAND_SIGNALS_H

#include <stddef.h>

/* The number of a signal that is written as TERM, SIGTERM or 15, in letters of either case; 0 for any other
 * word. */
int signals_number(const char *word);

/* Its name without SIG, or its number if it has none, in name[size]. */
void signals_name(int number, char *name, size_t size);

#endif
