#include "rules/late.h"

#include "error.h"
#include "host/probe.h"
#include "rules/kind.h"

/* The real port of an outer run needs no alias: the socket on that number is the outer run's server, which
 * programs call by that run's placeholder. */
bool late_alias(const struct view *view, struct map *map, unsigned placeholder)
{
    return view_is_real_around(view, map, placeholder) || map_alias_late(map, placeholder);
}

enum refill late_refilled(int result, bool server_required)
{
    if (result >= 0)
        return result > 0 ? REFILL_ASSIGNED : REFILL_STANDS;
    return result == PORTMAP_EXHAUSTED || server_required ? REFILL_NONE : REFILL_OUT_OF_REACH;
}

enum refill late_assign(const struct view *view, struct map *map, unsigned placeholder, uint32_t *entry)
{
    uint32_t before = *entry;
    bool assigned = map_take_late(map, placeholder, entry);
    if (!assigned && *entry != before)
        return REFILL_STANDS;
    if ((assigned && late_alias(view, map, placeholder)) || view_is_filtered(view))
        return assigned ? REFILL_ASSIGNED : REFILL_NONE;
    enum refill answer = view->refill(view, map, placeholder, assigned ? NULL : entry);
    return assigned ? REFILL_ASSIGNED : answer;
}

void late_note_given(const struct view *view, int fd, unsigned port)
{
    for (unsigned i = 0; view->map[i] != NULL; i++) {
        struct map *map = view->map[i];
        if (!map_is_ephemeral(map, port) || map_late_protocols(map, port) == 0)
            continue;
        if (kind_matches(view, fd, map_late_protocols(map, port)))
            map_note_given(map, port);
        return;
    }
}

bool late_is_held(const struct view *view, const struct map *map, unsigned port)
{
    if (!map_was_given(map, port))
        return false;
    return view_is_filtered(view) || probe_port(port) == PROBE_TAKEN;
}
