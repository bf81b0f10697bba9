/*
 * The records that `portshim ls --log` prints.
 */
#ifndef PORTMAP_COMMAND_LS_LOG_H
#define PORTMAP_COMMAND_LS_LOG_H

#include "run/map.h"

/* Prints what the run's processes have noted, as far as there was room for it, with the run's age then. */
void ls_log_print(const struct map *map);

#endif
