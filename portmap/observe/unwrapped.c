#include "observe/unwrapped.h"

#include "run/sighting.h"

#include <stdio.h>

struct unwrapped unwrapped_of(const struct map_program *program)
{
    struct unwrapped unwrapped;
    const struct obstacle *of_library = sighting_obstacle(program),
                          *of_trap = sighting_trap_obstacle(program, &unwrapped.in_part);
    unwrapped.remedy = of_trap != NULL ? of_trap->remedy : of_library->remedy;
    if (of_trap == NULL || unwrapped.in_part)
        snprintf(unwrapped.reason, sizeof unwrapped.reason, "%s",
                 of_trap != NULL ? of_trap->why : of_library->why);
    else
        snprintf(unwrapped.reason, sizeof unwrapped.reason, "%s, and %s", of_library->why, of_trap->why);
    return unwrapped;
}
