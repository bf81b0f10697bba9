/* Maps made by hand. What a run writes to the fields of its map is written here. */
#ifndef UNIT_MAPS_H
#define UNIT_MAPS_H

#include "unit.h"

#include "run/map.h"

#include <fcntl.h>

enum { EPHEMERAL_FIRST = 40000, EPHEMERAL_LAST = 49999 };

/* The numbers that the kernel hands out by itself. */
static inline void set_ephemeral(struct map *map, unsigned first, unsigned last)
{
    map->ephemeral_first = (uint16_t)first;
    map->ephemeral_last = (uint16_t)last;
}

/* The empty map of a run. Its file is gone already. */
static inline struct map *new_map(void)
{
    char place[] = "/tmp/portshim-unit.XXXXXX";
    struct map *map;
    check(mkdtemp(place) != NULL, "%m");
    int fd = open(place, O_RDONLY | O_DIRECTORY);
    int error = map_create(&map, fd, 1);
    unlinkat(fd, "map", 0);
    close(fd);
    rmdir(place);
    equal(error, 0);
    set_ephemeral(map, EPHEMERAL_FIRST, EPHEMERAL_LAST);
    return map;
}

/* An assignment that is known at start. */
static inline void assign(struct map *map, unsigned placeholder, unsigned real, unsigned protocols)
{
    map_assign(map, placeholder, real, protocols << MAP_PROTOCOLS_SHIFT);
    equal(map_list(map, placeholder), 0);
}

/* From now on the map has more than what is known at start. */
static inline void let_grow(struct map *map)
{
    atomic_store(&map->grows, 1);
}

static inline void let_reveal(struct map *map)
{
    map->reveal = 1;
}

static inline void let_discover(struct map *map)
{
    map->discover = 1;
}

/* The newest record of a map's log; MAP_EVENT_NONE while there is none. */
static inline const struct map_record *newest(const struct map *map)
{
    return &map->log[(atomic_load(&map->log_next) - 1) % MAP_LOG];
}

enum listing { BY_NUMBER, BY_ALL };

/* A late placeholder. */
static inline void list_late(struct map *map, unsigned port, unsigned protocols, enum listing how)
{
    for (unsigned i = 0; i < 2; i++)
        if ((protocols >> i & 1) != 0) {
            portbits_add(&map->late[i], port);
            if (how == BY_NUMBER)
                portbits_add(&map->late_listed[i], port);
        }
    let_grow(map);
}

/* Numbers from first to last in random order. */
static inline void shuffle(uint16_t *numbers, unsigned first, unsigned last)
{
    unsigned count = last - first + 1;
    for (unsigned i = 0; i < count; i++) {
        unsigned k = below(i + 1);
        numbers[i] = numbers[k];
        numbers[k] = (uint16_t)(first + i);
    }
}

/* A random assignment at start, with or without an alias. */
struct pair {
    unsigned placeholder, real, alias, protocols;
};

enum { PAIRS = 300, PAIRS_FIRST = EPHEMERAL_FIRST - 500, PAIRS_LAST = EPHEMERAL_FIRST + 499 };

/* Fills a map with them: the same numbers are placeholders of some, real ports and aliases of others. */
static inline void assign_pairs(struct map *map, struct pair pairs[static PAIRS])
{
    uint16_t placeholders[1000], reals[1000];
    shuffle(placeholders, PAIRS_FIRST, PAIRS_LAST);
    shuffle(reals, PAIRS_FIRST, PAIRS_LAST);
    for (unsigned i = 0; i < PAIRS; i++) {
        pairs[i] = (struct pair){.placeholder = placeholders[i], .real = reals[i], .protocols = 1 + below(3)};
        assign(map, pairs[i].placeholder, pairs[i].real, pairs[i].protocols);
    }
    for (unsigned i = 0; i < PAIRS; i++)
        if (map_is_ephemeral(map, pairs[i].placeholder) &&
            map_enter_alias(map, pairs[i].placeholder, reals[PAIRS + i], 0))
            pairs[i].alias = reals[PAIRS + i];
}

#endif
