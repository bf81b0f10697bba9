/*
 * The table of living runs that `portshim ls` prints.
 */
#ifndef PORTMAP_COMMAND_LS_TABLE_H
#define PORTMAP_COMMAND_LS_TABLE_H

#include "observe/survey.h"

#include <stdint.h>

/* Prints the runs, whose sockets were surveyed, with their ports and what was noted of them. Nothing when
 * there are none. `now` is process_clock(), the same for all runs, so that the older of two never shows the
 * smaller age. */
void ls_table_print(const struct survey *runs, unsigned count, uint64_t now);

#endif
