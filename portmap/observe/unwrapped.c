#include "observe/unwrapped.h"

#include "base/text.h"
#include "run/sighting.h"

struct unwrapped unwrapped_of(const struct map_program *program)
{
    struct unwrapped unwrapped;
    struct text reason = text_in(unwrapped.reason, sizeof unwrapped.reason);
    unwrapped.remedy = sighting_explain(program, &reason, &unwrapped.in_part);
    return unwrapped;
}
