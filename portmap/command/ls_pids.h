/*
 * The pids that `portshim ls -q` prints.
 */
#ifndef PORTMAP_COMMAND_LS_PIDS_H
#define PORTMAP_COMMAND_LS_PIDS_H

#include "observe/survey.h"

/* Prints the pids of the processes that listen on the ports of PORT, each once, also when it has several of
 * the ports. Returns the exit status: 1 when there is none. Fails when a port is not a placeholder of the
 * run, which `word` names in messages. */
int ls_pids_print(const struct survey *run, const char *word, const char *port);

#endif
