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

static void copy(struct view *view, const struct map *map)
{
    uint32_t count = atomic_load(&map->start_count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned placeholder = map->start[i];
        uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
        if (entry != 0 && view->to_kernel[placeholder] == 0)
            view_assign(view, placeholder, map_entry_port(entry), map_alias(map, placeholder),
                        entry & ~MAP_PORT_MASK);
    }
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
        view->reveal = map->reveal;
        view->discover = map->discover;
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
    const struct portbits *late = use == VIEW_BIND ? map->late : map->late_listed;
    struct view_found found = {.entry = atomic_load(&map->to_kernel[port]), .map = NULL};
    bool may_be_assigned = use == VIEW_BIND || !map_is_ephemeral(map, port);
    if (found.entry != 0 ||
        (may_be_assigned && (portbits_has(&late[0], port) || portbits_has(&late[1], port))))
        found.map = map;
    return found;
}

bool view_is_real_around(const struct view *view, const struct map *map, unsigned port)
{
    bool found = false, around = false;
    for (unsigned i = 0; view->map[i] != NULL && !found; i++) {
        uint32_t entry = around ? atomic_load(&view->map[i]->to_program[port]) : 0;
        found = entry != 0 && (entry & MAP_ALIAS) == 0;
        around = around || view->map[i] == map;
    }
    return found;
}

void view_note_bound(const struct view *view, unsigned placeholder)
{
    unsigned real = view->map[0] != NULL ? map_real(view->map[0], placeholder) : 0;
    for (unsigned i = 0; view->map[i] != NULL; i++)
        if (map_real(view->map[i], placeholder) != 0 &&
            (i == 0 || map_real(view->map[i], placeholder) == real))
            map_note_bound(view->map[i], placeholder);
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
