#include "command/launch.h"

#include "command/command.h"

#include <errno.h>

void launch(const struct launch *launch, struct launch_failure *failure)
{
    failure->is_untrapped =
        launch->is_trapped && !trapping_start(launch->map, launch->program, &failure->refusal);
    failure->error = failure->is_untrapped ? -EPERM : command_execute(launch->words);
    trapping_exempt(); /* what clears up after the command probes real ports */
}

int launch_status(const struct launch_failure *failure)
{
    int status = failure->is_untrapped || failure->error < 0 ? COMMAND_FAILED
                 : failure->error == ENOENT                  ? COMMAND_NOT_FOUND
                                                             : COMMAND_NOT_EXECUTABLE;
    return status << 8;
}

void launch_end(const struct launch *launch, const struct launch_failure *failure)
{
    if (failure->is_untrapped)
        trapping_fail(launch->program, &failure->refusal);
    command_end_unstarted(failure->error, launch->words[0], NULL);
}
