/*
 * Runs a command as a child, for commands that have work to do after it has ended. Signals, job control and
 * the exit status behave almost as if this process had become the command.
 */
#ifndef PORTMAP_COMMAND_SUPERVISE_H
#define PORTMAP_COMMAND_SUPERVISE_H

#include "command/launch.h"

/*
 * Runs the command with this process's signal mask and dispositions, until it ends. Meanwhile passes on
 * signals that are sent to this process, and stops when the command stops. Returns its status, as waitpid(2)
 * has it; *failure says whether it has started at all.
 */
int supervise(const struct launch *command, struct launch_failure *failure);

/* Ends this process as the command ended: with its exit status, or by the same signal without a core dump. */
_Noreturn void supervise_end(int status);

#endif
