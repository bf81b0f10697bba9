#include "table.h"

struct table table;

void table_assign(unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols_and_flags)
{
    table.to_program[real] = placeholder | protocols_and_flags;
    if (alias != 0) {
        table.to_program[placeholder] = alias | protocols_and_flags | MAP_ALIAS;
        table.to_kernel[alias] = placeholder | protocols_and_flags | MAP_ALIAS;
    }
    table.to_kernel[placeholder] = real | protocols_and_flags;
    table.active = true;
}

static void copy(const struct map *map)
{
    uint32_t count = atomic_load(&map->start_count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned placeholder = map->start[i];
        uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
        if (entry != 0 && table.to_kernel[placeholder] == 0)
            table_assign(placeholder, map_entry_port(entry), map_alias(map, placeholder),
                         entry & ~MAP_PORT_MASK);
    }
}

bool table_add_map(struct map *map)
{
    unsigned i = 0;
    while (i < TABLE_MAPS && table.map[i] != NULL)
        i++;
    if (i == TABLE_MAPS - 1)
        return false;
    if (i == 0) {
        copy(map);
        table.reveal = map->reveal;
        table.discover = map->discover;
    }
    table.map[i] = map;
    table.active = true;
    return true;
}

void table_drop(void)
{
    table.active = false;
    table.map[0] = NULL;
}

struct table_found table_look(struct map *map, unsigned port, enum table_use use)
{
    const struct portbits *late = use == TABLE_BIND ? map->late : map->late_listed;
    struct table_found found = {.entry = atomic_load(&map->to_kernel[port]), .map = NULL};
    bool may_be_assigned = use == TABLE_BIND || !map_is_ephemeral(map, port);
    if (found.entry != 0 ||
        (may_be_assigned && (portbits_has(&late[0], port) || portbits_has(&late[1], port))))
        found.map = map;
    return found;
}

bool table_is_real_around(const struct map *map, unsigned port)
{
    bool found = false, around = false;
    for (unsigned i = 0; table.map[i] != NULL && !found; i++) {
        uint32_t entry = around ? atomic_load(&table.map[i]->to_program[port]) : 0;
        found = entry != 0 && (entry & MAP_ALIAS) == 0;
        around = around || table.map[i] == map;
    }
    return found;
}

void table_note_bound(unsigned placeholder)
{
    unsigned real = table.map[0] != NULL ? map_real(table.map[0], placeholder) : 0;
    for (unsigned i = 0; table.map[i] != NULL; i++)
        if (map_real(table.map[i], placeholder) != 0 &&
            (i == 0 || map_real(table.map[i], placeholder) == real))
            map_note_bound(table.map[i], placeholder);
}

void table_wake(void)
{
    for (unsigned i = 0; table.map[i] != NULL; i++)
        map_wake(table.map[i]);
}

void table_log(enum map_event event, unsigned placeholder, unsigned real, int error)
{
    if (table.map[0] != NULL)
        map_log(table.map[0], event, table.pid, placeholder, real, error);
}
