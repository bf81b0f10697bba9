/*
 * Starting the command of a run, plainly or under the trap.
 */
#ifndef PORTMAP_COMMAND_LAUNCH_H
#define PORTMAP_COMMAND_LAUNCH_H

#include "command/trapping.h"
#include "run/map.h"

#include <stdbool.h>

struct launch {
    char **words;          /* the command, which command_find_program() has found */
    const char *program;   /* its file, for messages */
    const struct map *map; /* of the run that the environment names */
    bool is_trapped;
};

/* Why a command has not started. */
struct launch_failure {
    int error;         /* the errno of exec; or a negated errno of what came before it; 0: no failure */
    bool is_untrapped; /* the trap cannot be had */
    struct trapping_refusal refusal;
};

/* Executes the command in this process, or under the trap perhaps in another one (trap/start.h). Returns only
 * when that failed. */
void launch(const struct launch *launch, struct launch_failure *failure);

/* The status with which that ends this process, as waitpid(2) has it. */
int launch_status(const struct launch_failure *failure);

/* Says why the command has not started, and ends this process. */
_Noreturn void launch_end(const struct launch *launch, const struct launch_failure *failure);

#endif
