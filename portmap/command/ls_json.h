/*
 * The living runs in the JSON document of `portshim ls --json` (docs/ls.schema.json), and what ended runs
 * have alike.
 */
#ifndef PORTMAP_COMMAND_LS_JSON_H
#define PORTMAP_COMMAND_LS_JSON_H

#include "observe/survey.h"
#include "observe/unwrapped.h"

#include <stdbool.h>
#include <stdint.h>

/* Prints the member `runs`. `now` as for ls_table_print(). */
void ls_json_print(const struct survey *runs, unsigned count, uint64_t now);

/* Print an element of the array `not_wrapped` or `not_listed`, *count as for json_separate(). */
void ls_json_not_wrapped(unsigned *count, const char *program, const struct unwrapped *unwrapped);
void ls_json_not_listed(unsigned *count, unsigned port, bool bound, const char *program);

#endif
