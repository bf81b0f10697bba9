#include "run/sighting.h"

#include "base/text.h"
#include "run/portset.h"

#include <string.h>

/* A word of the set: port, protocols, kind, program, from the low end. */
enum { PROTOCOLS_SHIFT = 16, KIND_SHIFT = 18, PROGRAM_SHIFT = 24 };

/* map_program.kind: an enum program_kind, whether the file has capabilities, and whether it was started by
 * somebody who got other rights by that. */
enum { KIND_MASK = 0xff, PRIVILEGED = 1 << 8, CAPABLE = 1 << 9 };

/* A program that there was no room for, or whose name is not known. */
static const struct map_program unknown = {.name = "a program", .kind = PROGRAM_STATIC};

/* Places in the set. Kinds have their own, so that many connections leave room for what is bound. */
struct places {
    unsigned first, count;
};

static struct places places_of(enum sighting_kind kind)
{
    enum {
        PROGRAMS = MAP_PROGRAMS + 1,
        CONNECTED = MAP_SIGHTINGS / 4,
        LOADS = 64,
        REST = PROGRAMS + CONNECTED + LOADS
    };
    if (kind == SIGHTING_EXEC)
        return (struct places){0, PROGRAMS};
    if (kind == SIGHTING_CONNECT)
        return (struct places){PROGRAMS, CONNECTED};
    if (kind >= SIGHTING_DEEPBIND)
        return (struct places){PROGRAMS + CONNECTED, LOADS};
    return (struct places){REST, MAP_SIGHTINGS - REST};
}

static uint64_t pack(struct sighting s)
{
    return (uint64_t)s.program << PROGRAM_SHIFT | (uint64_t)s.kind << KIND_SHIFT |
           (uint64_t)s.protocols << PROTOCOLS_SHIFT | s.port;
}

static struct sighting unpack(uint64_t word)
{
    return (struct sighting){.kind = (enum sighting_kind)(word >> KIND_SHIFT & 7),
                             .port = (unsigned)(word & 0xffff),
                             .protocols = (unsigned)(word >> PROTOCOLS_SHIFT & PORTMAP_BOTH),
                             .program = (unsigned)(word >> PROGRAM_SHIFT)};
}

uint64_t sighting_device(const struct stat *file)
{
    uint64_t changed = (uint64_t)file->st_ctim.tv_sec * 1000000000 + (uint64_t)file->st_ctim.tv_nsec;
    return (uint64_t)file->st_dev ^ changed * UINT64_C(0x9E3779B97F4A7C15);
}

static unsigned find_program(const struct map *map, uint64_t device, uint64_t inode)
{
    unsigned i = inode != 0 ? 0 : MAP_PROGRAMS; /* 0: unknown, and an empty entry */
    while (i < MAP_PROGRAMS &&
           (atomic_load(&map->programs[i].inode) != inode || atomic_load(&map->programs[i].device) != device))
        i++;
    return i;
}

/* The inode number claims an entry; the process that claimed it fills in the rest a moment later. */
static unsigned enter_program(struct map *map, uint64_t device, uint64_t inode, const char *name,
                              uint32_t kind)
{
    unsigned i = find_program(map, device, inode);
    if (i < MAP_PROGRAMS || inode == 0)
        return i;
    for (i = 0; i < MAP_PROGRAMS; i++) {
        struct map_program *program = &map->programs[i];
        uint64_t empty = 0;
        if (!atomic_compare_exchange_strong(&program->inode, &empty, inode))
            continue;
        const char *slash = strrchr(name, '/'), *last = slash != NULL ? slash + 1 : name;
        struct text shown = text_in(program->name, sizeof program->name);
        text_str(&shown, *last != '\0' ? last : unknown.name);
        text_mark_cut(&shown);
        atomic_store(&program->kind, kind);
        atomic_store(&program->device, device);
        return i;
    }
    return MAP_PROGRAMS;
}

unsigned sighting_program(struct map *map, uint64_t device, uint64_t inode, const char *name)
{
    return enter_program(map, device, inode, name, PROGRAM_DYNAMIC);
}

static unsigned enter(struct map *map, const struct reach *reach, uint32_t kind)
{
    return enter_program(map, sighting_device(&reach->file), reach->file.st_ino, reach->path, kind);
}

static uint32_t pack_kind(const struct reach *reach)
{
    return (uint32_t)reach->kind | (reach->is_capable ? CAPABLE : 0);
}

void sighting_remember(struct map *map, const struct reach *reach)
{
    if (reach->kind != PROGRAM_UNKNOWN || reach->is_privileged)
        enter(map, reach, pack_kind(reach));
}

bool sighting_knows(const void *memory, struct reach *reach)
{
    const struct map *map = memory;
    unsigned program = find_program(map, sighting_device(&reach->file), reach->file.st_ino);
    if (program == MAP_PROGRAMS)
        return false;
    uint32_t kind = atomic_load(&map->programs[program].kind);
    reach->kind = (enum program_kind)(kind & KIND_MASK);
    reach->is_capable = (kind & CAPABLE) != 0;
    return true;
}

void sighting_started(struct map *map, const struct reach *reach)
{
    if (reach_obstacle(reach->kind, reach->is_privileged) == NULL)
        return;
    unsigned program = enter(map, reach, pack_kind(reach));
    if (program < MAP_PROGRAMS && reach->is_privileged)
        atomic_fetch_or(&map->programs[program].kind, PRIVILEGED);
    sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .program = program});
}

void sighting_note(struct map *map, struct sighting sighting)
{
    uint64_t word = pack(sighting);
    struct places places = places_of(sighting.kind);
    unsigned start = (unsigned)(word * UINT64_C(0x9E3779B97F4A7C15) >> 33);
    for (unsigned i = 0; i < places.count; i++) {
        _Atomic uint64_t *place = &map->sightings[places.first + (start + i) % places.count];
        uint64_t there = atomic_load_explicit(place, memory_order_relaxed);
        if (there == 0 && atomic_compare_exchange_strong(place, &there, word))
            return;
        if (there == word)
            return;
    }
}

bool sighting_is_full(const struct map *map, enum sighting_kind kind)
{
    struct places places = places_of(kind);
    unsigned i = 0;
    while (i < places.count && atomic_load(&map->sightings[places.first + i]) != 0)
        i++;
    return i == places.count;
}

struct sighting sighting_get(const struct map *map, unsigned n)
{
    for (unsigned i = 0; i < MAP_SIGHTINGS; i++) {
        uint64_t word = atomic_load(&map->sightings[i]);
        if (word != 0 && n-- == 0)
            return unpack(word);
    }
    return (struct sighting){.kind = SIGHTING_NONE};
}

const char *sighting_program_name(const struct map *map, unsigned program)
{
    return program < MAP_PROGRAMS ? map->programs[program].name : unknown.name;
}

const struct map_program *sighting_unhookable(const struct map *map, unsigned *n)
{
    for (struct sighting s; (s = sighting_get(map, *n)).kind != SIGHTING_NONE;) {
        ++*n;
        if (s.kind == SIGHTING_EXEC)
            return s.program < MAP_PROGRAMS ? &map->programs[s.program] : &unknown;
    }
    return NULL;
}

const struct obstacle *sighting_obstacle(const struct map_program *program)
{
    uint32_t kind = atomic_load(&program->kind);
    const struct obstacle *obstacle =
        reach_obstacle((enum program_kind)(kind & KIND_MASK), (kind & PRIVILEGED) != 0);
    return obstacle != NULL ? obstacle : reach_obstacle(PROGRAM_WRONG_CLASS, false);
}
