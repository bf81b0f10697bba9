/* Maps made by hand. What a run writes to the head of its map is written here. */
#ifndef UNIT_MAPS_H
#define UNIT_MAPS_H

#include "unit.h"

#include "run/files.h"
#include "run/texts.h"

#include <dirent.h>
#include <fcntl.h>

enum { EPHEMERAL_FIRST = 40000, EPHEMERAL_LAST = 49999 };

/* The numbers that the kernel hands out by itself. */
static inline void set_ephemeral(struct map *map, unsigned first, unsigned last)
{
    map->head->ephemeral_first = (uint16_t)first;
    map->head->ephemeral_last = (uint16_t)last;
}

static inline void remove_all_in(int place)
{
    DIR *listing = fdopendir(dup(place));
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        unlinkat(place, entry->d_name, 0);
    closedir(listing);
}

static inline struct map *new_map_of(struct files_kind kind)
{
    char place[] = "/tmp/portshim-unit.XXXXXX", secret[SECRET_SIZE];
    struct map *map = malloc(sizeof *map);
    check(map != NULL && mkdtemp(place) != NULL && files_secret(secret) == 0, "%m");
    int fd = open(place, O_RDONLY | O_DIRECTORY);
    int error = files_create(map, fd, 1, secret, kind);
    remove_all_in(fd);
    close(fd);
    rmdir(place);
    equal(error, 0);
    set_ephemeral(map, EPHEMERAL_FIRST, EPHEMERAL_LAST);
    return map;
}

/* The empty map of a run. Its files are gone already. */
static inline struct map *new_map(void)
{
    return new_map_of((struct files_kind){.late = false});
}

/* That of a run that has, or will have, late placeholders. */
static inline struct map *new_late_map(void)
{
    return new_map_of((struct files_kind){.late = true});
}

/* That of `portshim ports`. */
static inline struct map *new_discovering_map(void)
{
    return new_map_of((struct files_kind){.discover = true});
}

static inline void drop_map(struct map *map)
{
    files_close(map);
    free(map);
}

/* An assignment that is known at start. */
static inline void assign(struct map *map, unsigned placeholder, unsigned real, unsigned protocols)
{
    equal(map_assign(map, placeholder, real, protocols << MAP_PROTOCOLS_SHIFT), 0);
}

/* Takes it back. */
static inline void take_back(struct map *map, unsigned placeholder)
{
    uint32_t i = 0;
    while (i < map_start_count(map) &&
           (map_start(map, i).placeholder != placeholder || map_start(map, i).real == 0))
        i++;
    check(i < map_start_count(map), "%u is not assigned at start", placeholder);
    map_unassign(map, i);
}

static inline void let_reveal(struct map *map)
{
    map->head->reveal = 1;
}

/* The newest record of a map's log; MAP_EVENT_NONE while there is none. */
static inline struct map_record newest(const struct map *map)
{
    return map_log_record(map, map_log_next(map) - 1);
}

/* Adds a text about the run, which this process alone knows; false when it does not fit. */
static inline bool add_text(struct map *map, enum text_key key, const char *value)
{
    struct texts *texts = (void *)((uintptr_t)map->texts - offsetof(struct texts, bytes));
    if (map->texts == NULL) {
        texts = malloc(sizeof *texts);
        check(texts != NULL, "%m");
        texts_begin(texts, map->head->run_id, "0123456789abcdef0123456789abcdef");
    }
    bool fits = texts_add(texts, key, value);
    map->texts = texts->bytes;
    map->texts_size = texts->size;
    return fits;
}

enum listing { BY_NUMBER, BY_ALL };

/* A late placeholder. */
static inline void list_late(struct map *map, unsigned port, unsigned protocols, enum listing how)
{
    check(map->late != NULL, "the map of a run without late placeholders");
    for (unsigned i = 0; i < 2; i++)
        if ((protocols >> i & 1) != 0) {
            portbits_add(&map->head->late[i], port);
            if (how == BY_NUMBER)
                portbits_add(&map->head->late_listed[i], port);
        }
}

/* Puts a port into the stock that was leased for it; false when that is full. */
static inline bool put_in_stock(struct map *map, unsigned port)
{
    map_grant(map, port);
    return map_stock_put(map, port);
}

/* Assigns a port that was leased for a late placeholder, as map_enter_late(). */
static inline bool enter_leased(struct map *map, unsigned placeholder, unsigned real, uint32_t *entry)
{
    map_grant(map, real);
    return map_enter_late(map, placeholder, real, entry);
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
