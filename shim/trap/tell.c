#include "trap/tell.h"

#include "base/kernel.h"
#include "run/sighting.h"
#include "run/voice.h"
#include "trap/threads.h"
#include "trap/views.h"

#include <unistd.h>

bool trap_tell(const struct view *view, const struct map *map, _Atomic uint64_t *word)
{
    if (sighting_read(word).is_told)
        return false;
    const struct speaker speaker = {.fd = threads_descriptor(view->pid, STDERR_FILENO), .process = view->pid};
    bool is_told = speaker.fd >= 0 && !voice_is_quiet(views_variable(view->pid, "PORTSHIM_QUIET")) &&
                   voice_tell(map, word, speaker);
    if (speaker.fd >= 0)
        kernel_close(speaker.fd);
    return is_told;
}
