#include "run/keyed.h"

enum keyed keyed_is(const struct map *map, unsigned placeholder)
{
    uint32_t entry = map_to_kernel(map, placeholder);
    if (map_entry_port(entry) == 0 || (entry & (MAP_ALIAS | MAP_LATE)) != 0)
        return KEYED_NOT;
    return entry & MAP_KEYED ? KEYED_GOT : entry & MAP_UNKEYED ? KEYED_MISSED : KEYED_NOT;
}

unsigned keyed_wanted(const struct map *map, unsigned placeholder)
{
    uint32_t next = map_log_next(map), size = map_log_size(map);
    for (uint32_t n = next > size ? next - size : 0; n != next; n++) {
        const struct map_record record = map_log_record(map, n);
        if (record.event == MAP_EVENT_UNKEYED && record.placeholder == placeholder)
            return record.real;
    }
    return 0;
}
