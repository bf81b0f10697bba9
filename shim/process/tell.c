#include "process/tell.h"

#include "process/filter.h"
#include "process/supervised.h"
#include "run/sighting.h"
#include "run/voice.h"

/* Whether there are filters that were not there when the run began, besides the trap's. A program that this
 * one has been executed by may have installed them. */
static bool has_more_filters(const struct map *map)
{
    uint32_t filters = voice_filters();
    return filters > map->head->stderr_file.filters + (filters > 0 && supervised() ? 1 : 0);
}

bool tell(const struct view *view, const struct map *map, _Atomic uint64_t *word)
{
    (void)view;
    if (filter_is_installed() || map->head->stderr_file.kind == 0 || sighting_read(word).is_told)
        return false;
    return !has_more_filters(map) && voice_tell(map, word, SPEAKER_SELF);
}
