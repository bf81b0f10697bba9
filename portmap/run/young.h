/*
 * Keeping the files of living runs young. Others clear directories like /tmp by age (systemd-tmpfiles(8)),
 * and what a run's processes have mapped becomes old although they use it.
 */
#ifndef PORTMAP_RUN_YOUNG_H
#define PORTMAP_RUN_YOUNG_H

#include "lease/home.h"

#include <stdint.h>

/*
 * To be called by commands that find a run alive. Once a day it touches the run's directory and files, its
 * names and the map files that name it; otherwise it is one system call.
 */
void young_keep(const struct home *home, uint64_t run_id);

#endif
