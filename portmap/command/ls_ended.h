/*
 * The ended runs in the list of `portshim ls --all`, the latest first.
 */
#ifndef PORTMAP_COMMAND_LS_ENDED_H
#define PORTMAP_COMMAND_LS_ENDED_H

#include "run/ended.h"

/* Prints a table, whose lines are at most `width` columns wide; 0: any. Nothing when there are none. */
void ls_ended_print(const struct ended *records, unsigned count, unsigned width);

/* Prints the member `ended` of the JSON document, after a comma. */
void ls_ended_print_json(const struct ended *records, unsigned count);

#endif
