/*
 * The lines of the tables that `portshim ls` prints, and those that living and ended runs have alike.
 */
#ifndef PORTMAP_COMMAND_LS_LINE_H
#define PORTMAP_COMMAND_LS_LINE_H

#include "observe/unwrapped.h"

#include <stdbool.h>

enum { LS_NAME_MIN = 9, LS_NAME_MAX = 32 }; /* the column of the run's name; longer names exceed it */

/* How many columns the output may have, 0 for any number. */
unsigned ls_line_width(void);

/* Prints a line, and cuts it to `width` columns; 0: any. */
void ls_line_print(char *line, unsigned width);

/* A program that was not wrapped. */
void ls_line_not_wrapped(const char *program, const struct unwrapped *unwrapped, unsigned width);

/* A fixed port that nobody listed: the program has bound it, or wanted it when it was in use. */
void ls_line_not_listed(unsigned port, bool bound, const char *program, unsigned width);

#endif
