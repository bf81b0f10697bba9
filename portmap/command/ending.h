/*
 * Recording how the run of `portshim run` or `portshim ports` ends (run/ended.h), where this process is there
 * when it does. Costs nothing before.
 */
#ifndef PORTMAP_COMMAND_ENDING_H
#define PORTMAP_COMMAND_ENDING_H

#include "run/run.h"

/* Of whose end there is to be a record. */
struct ending {
    struct run *run;          /* without a map as long as it has not been made */
    const char *name;         /* that it is to have; or NULL */
    const char *const *files; /* its map files, NULL at the end; or NULL */
    char **command;
};

/* From here on: if this process fails, that is how the run ended. It could not be made, or its command could
 * not be started. Keeps the pointer. */
void ending_watch(const struct ending *ending);

/* Records that the run, which is about to be discarded, ended with this status, as of waitpid(2). */
void ending_of_discarded(int status);

/* The command has ended, with this status as of waitpid(2). */
void ending_of_command(int status);

/* Records the end, with that status. Closes the map of the run. A second call does nothing. */
void ending_record(void);

/* ending_of_command() and ending_record(), for a process that has the run's map, but has closed all its
 * descriptors. */
void ending_of_trapped(int status);

#endif
