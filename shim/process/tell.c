#include "process/tell.h"

#include "process/filter.h"
#include "run/voice.h"

bool tell(const struct view *view, const struct map *map, _Atomic uint64_t *word)
{
    (void)view;
    return !filter_is_installed() && voice_tell(map, word, SPEAKER_SELF);
}
