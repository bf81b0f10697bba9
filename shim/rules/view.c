#include "rules/view.h"

void view_assign(void *to, unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols_and_flags)
{
    struct view *view = to;
    view->to_program[real] = placeholder | protocols_and_flags;
    if (alias != 0) {
        view->to_program[placeholder] = alias | protocols_and_flags | MAP_ALIAS;
        view->to_kernel[alias] = placeholder | protocols_and_flags | MAP_ALIAS;
    }
    view->to_kernel[placeholder] = real | protocols_and_flags;
    view->active = true;
}

/* Whether the view has nothing of this placeholder. It is about to be written, so that it is asked in a way
 * that writes: to read a new page first costs a second page fault. */
static bool is_new(struct view *view, unsigned placeholder)
{
    return __atomic_fetch_add(&view->to_kernel[placeholder], 0, __ATOMIC_RELAXED) == 0;
}

static void copy(struct view *view, struct map *map)
{
    uint32_t count = map_start_count(map);
    for (uint32_t i = 0; i < count; i++) {
        struct map_pair pair = map_start(map, i);
        if (pair.real != 0 && is_new(view, pair.placeholder))
            view_assign(view, pair.placeholder, pair.real, pair.alias, map_pair_entry(pair) & ~MAP_PORT_MASK);
    }
    map->known = count;
}

bool view_add_map(struct view *view, struct map *map)
{
    unsigned i = 0;
    while (i < VIEW_MAPS && view->map[i] != NULL)
        i++;
    if (i == VIEW_MAPS - 1)
        return false;
    if (i == 0) {
        copy(view, map);
        view->reveal = map->head->reveal;
        view->discover = map->head->discover;
    }
    view->map[i] = map;
    view->active = true;
    return true;
}

void view_drop(struct view *view)
{
    view->active = false;
    view->map[0] = NULL;
}

struct view_found view_look(struct map *map, unsigned port, enum view_use use)
{
    struct view_found found = {.entry = map_to_kernel(map, port), .map = NULL};
    bool may_be_assigned = use == VIEW_BIND ? map_late_protocols(map, port) != 0
                                            : map_late_is_listed(map, port) && !map_is_ephemeral(map, port);
    if (found.entry != 0 || may_be_assigned)
        found.map = map;
    return found;
}

bool view_is_real_around(const struct view *view, const struct map *map, unsigned port)
{
    bool found = false, around = false;
    for (unsigned i = 0; view->map[i] != NULL && !found; i++) {
        uint32_t entry = around ? map_to_program(view->map[i], port) : 0;
        found = entry != 0 && (entry & MAP_ALIAS) == 0;
        around = around || view->map[i] == map;
    }
    return found;
}

static unsigned real_in(const struct view *view, unsigned i, unsigned placeholder)
{
    uint32_t entry = i == 0 ? view->to_kernel[placeholder] : 0;
    return entry != 0 && !(entry & MAP_ALIAS) ? map_entry_port(entry) : map_real(view->map[i], placeholder);
}

void view_note_bound(const struct view *view, unsigned placeholder)
{
    unsigned real = view->map[0] != NULL ? real_in(view, 0, placeholder) : 0;
    for (unsigned i = 0; real != 0 && view->map[i] != NULL; i++)
        if (real_in(view, i, placeholder) == real)
            map_note_bound(view->map[i], placeholder);
}

void view_note_exec(const struct view *view)
{
    for (unsigned i = 0; view->map[i] != NULL; i++)
        map_note_exec(view->map[i]);
}

void view_wake(const struct view *view)
{
    for (unsigned i = 0; view->map[i] != NULL; i++)
        map_wake(view->map[i]);
}

void view_log(const struct view *view, enum map_event event, unsigned placeholder, unsigned real, int error)
{
    if (view->map[0] != NULL)
        map_log(view->map[0], event, view->pid, placeholder, real, error);
}
