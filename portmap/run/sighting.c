#include "run/sighting.h"

#include "base/text.h"
#include "run/portset.h"

#include <string.h>

/* A word of the set: port or reason, protocols, kind, program, from the low end. */
enum { PROTOCOLS_SHIFT = 16, KIND_SHIFT = 18, PROGRAM_SHIFT = 24 };
enum { WORD_KIND_MASK = (1 << (PROGRAM_SHIFT - KIND_SHIFT)) - 1 };

/* Set in a word whose sighting somebody has been told. */
static const uint64_t TOLD = UINT64_C(1) << 63;

/* map_program.kind: an enum program_kind, whether the file has capabilities, and whether it was started by
 * somebody who got other rights by that. UNJUDGED: nobody has looked at the file, only at its process. */
enum { KIND_MASK = 0xff, PRIVILEGED = 1 << 8, CAPABLE = 1 << 9, UNJUDGED = 1 << 10 };

/* In the copy that sighting_unhookable() makes, the reason that the sighting has. */
enum { REASON_SHIFT = 16 };

/* A program that there was no room for, or whose name is not known. */
static const struct map_program unknown = {.name = "a program", .kind = PROGRAM_STATIC};

/* What the notes of a map have room for. */
struct room {
    struct map_program *programs;
    _Atomic uint64_t *words; /* the set */
    unsigned program_count, count;
    bool discover; /* else connections are not noted */
};

static struct room room_of(const struct map *map)
{
    struct map_notes *small = map->notes;
    struct map_large_notes *large = map->large_notes;
    if (small == NULL)
        return (struct room){.count = 0};
    if (map->has_large_notes)
        return (struct room){large->programs, large->sightings,
                             sizeof large->programs / sizeof *large->programs,
                             sizeof large->sightings / sizeof *large->sightings, true};
    return (struct room){small->programs, small->sightings, sizeof small->programs / sizeof *small->programs,
                         sizeof small->sightings / sizeof *small->sightings, false};
}

/* Places in the set. Kinds have their own, so that many connections leave room for what is bound. */
struct places {
    _Atomic uint64_t *first;
    unsigned count;
};

static struct places places_of(const struct room *room, enum sighting_kind kind)
{
    unsigned programs = room->program_count + 1, loads = room->count / 16, trapped = room->count / 8;
    unsigned connected = room->discover ? room->count / 4 : 0;
    unsigned rest = programs + connected + loads + trapped;
    if (room->count == 0)
        return (struct places){.count = 0};
    if (kind == SIGHTING_EXEC)
        return (struct places){room->words, programs};
    if (kind == SIGHTING_CONNECT)
        return (struct places){room->words + programs, connected};
    if (kind == SIGHTING_TRAPPED)
        return (struct places){room->words + programs + connected + loads, trapped};
    if (kind >= SIGHTING_DEEPBIND)
        return (struct places){room->words + programs + connected, loads};
    return (struct places){room->words + rest, room->count - rest};
}

static bool has_port(unsigned kind)
{
    return kind == SIGHTING_BIND || kind == SIGHTING_REFUSED || kind == SIGHTING_CONNECT;
}

static uint64_t pack(struct sighting s)
{
    return (uint64_t)s.program << PROGRAM_SHIFT | (uint64_t)s.kind << KIND_SHIFT |
           (uint64_t)s.protocols << PROTOCOLS_SHIFT | (has_port(s.kind) ? s.port : s.reason);
}

static struct sighting unpack(uint64_t word)
{
    unsigned kind = (unsigned)(word >> KIND_SHIFT & WORD_KIND_MASK), low = (unsigned)(word & 0xffff);
    return (struct sighting){.kind = kind < SIGHTING_KINDS ? (enum sighting_kind)kind : SIGHTING_NONE,
                             .port = has_port(kind) ? low : 0,
                             .protocols = (unsigned)(word >> PROTOCOLS_SHIFT & PORTMAP_BOTH),
                             .program = (unsigned)((word & ~TOLD) >> PROGRAM_SHIFT),
                             .is_told = (word & TOLD) != 0,
                             .reason =
                                 kind == SIGHTING_EXEC && low < UNTRAPPED_KINDS ? low : UNTRAPPED_UNSAID};
}

uint64_t sighting_device(const struct stat *file)
{
    uint64_t changed = (uint64_t)file->st_ctim.tv_sec * 1000000000 + (uint64_t)file->st_ctim.tv_nsec;
    return (uint64_t)file->st_dev ^ changed * UINT64_C(0x9E3779B97F4A7C15);
}

static unsigned find_program(const struct room *room, uint64_t device, uint64_t inode)
{
    unsigned i = inode != 0 ? 0 : room->program_count; /* 0: unknown, and an empty entry */
    while (i < room->program_count && (atomic_load(&room->programs[i].inode) != inode ||
                                       atomic_load(&room->programs[i].device) != device))
        i++;
    return i < room->program_count ? i : SIGHTING_UNKNOWN;
}

static void judge_program(struct map_program *program, uint32_t kind)
{
    uint32_t before = UNJUDGED;
    if ((kind & UNJUDGED) == 0)
        atomic_compare_exchange_strong(&program->kind, &before, kind);
}

/* The inode number claims an entry; the process that claimed it fills in the rest a moment later. */
static unsigned enter_program(struct map *map, uint64_t device, uint64_t inode, const char *name,
                              uint32_t kind)
{
    const struct room room = room_of(map);
    unsigned i = find_program(&room, device, inode);
    if (i != SIGHTING_UNKNOWN)
        judge_program(&room.programs[i], kind);
    if (i != SIGHTING_UNKNOWN || inode == 0)
        return i;
    for (i = 0; i < room.program_count; i++) {
        struct map_program *program = &room.programs[i];
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
    return SIGHTING_UNKNOWN;
}

unsigned sighting_program(struct map *map, uint64_t device, uint64_t inode, const char *name)
{
    return enter_program(map, device, inode, name, UNJUDGED);
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
    const struct room room = room_of(memory);
    unsigned program = find_program(&room, sighting_device(&reach->file), reach->file.st_ino);
    if (program == SIGHTING_UNKNOWN)
        return false;
    uint32_t kind = atomic_load(&room.programs[program].kind);
    if ((kind & UNJUDGED) != 0)
        return false;
    reach->kind = (enum program_kind)(kind & KIND_MASK);
    reach->is_capable = (kind & CAPABLE) != 0;
    return true;
}

_Atomic uint64_t *sighting_untrapped(struct map *map, const struct reach *reach, enum untrapped reason)
{
    if (reach_obstacle(reach->kind, reach->is_privileged) == NULL)
        return NULL;
    unsigned program = enter(map, reach, pack_kind(reach));
    if (program != SIGHTING_UNKNOWN && reach->is_privileged)
        atomic_fetch_or(&room_of(map).programs[program].kind, PRIVILEGED);
    map_note_unreached(map);
    return sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .reason = reason, .program = program});
}

void sighting_trapped(struct map *map, const struct reach *reach)
{
    unsigned program = enter(map, reach, pack_kind(reach));
    sighting_note(map, (struct sighting){.kind = SIGHTING_TRAPPED, .program = program});
}

_Atomic uint64_t *sighting_note(struct map *map, struct sighting sighting)
{
    uint64_t word = pack(sighting);
    const struct room room = room_of(map);
    struct places places = places_of(&room, sighting.kind);
    unsigned start = (unsigned)(word * UINT64_C(0x9E3779B97F4A7C15) >> 33);
    for (unsigned i = 0; i < places.count; i++) {
        _Atomic uint64_t *place = &places.first[(start + i) % places.count];
        uint64_t there = atomic_load_explicit(place, memory_order_relaxed);
        if (there == 0 && atomic_compare_exchange_strong(place, &there, word))
            return place;
        if ((there & ~TOLD) == word)
            return place;
    }
    return NULL;
}

struct sighting sighting_read(const _Atomic uint64_t *word)
{
    return unpack(atomic_load_explicit(word, memory_order_relaxed));
}

bool sighting_claim(_Atomic uint64_t *word)
{
    return (atomic_fetch_or(word, TOLD) & TOLD) == 0;
}

void sighting_disclaim(_Atomic uint64_t *word)
{
    atomic_fetch_and(word, ~TOLD);
}

bool sighting_is_full(const struct map *map, enum sighting_kind kind)
{
    const struct room room = room_of(map);
    struct places places = places_of(&room, kind);
    unsigned i = 0;
    while (i < places.count && atomic_load(&places.first[i]) != 0)
        i++;
    return i == places.count;
}

struct sighting sighting_get(const struct map *map, unsigned n)
{
    const struct room room = room_of(map);
    for (unsigned i = 0; i < room.count; i++) {
        struct sighting found = unpack(atomic_load(&room.words[i]));
        if (found.kind != SIGHTING_NONE && n-- == 0)
            return found;
    }
    return (struct sighting){.kind = SIGHTING_NONE};
}

struct sighting_name sighting_program_name(const struct map *map, unsigned program)
{
    const struct room room = room_of(map);
    const char *there = program < room.program_count ? room.programs[program].name : unknown.name;
    struct sighting_name name;
    struct text t = text_in(name.text, sizeof name.text);
    text_bytes(&t, there, strnlen(there, sizeof unknown.name));
    return name;
}

struct map_program sighting_of_program(const struct map *map, struct sighting s)
{
    const struct room room = room_of(map);
    struct map_program program = s.program < room.program_count ? room.programs[s.program] : unknown;
    program.kind = (program.kind & ((1U << REASON_SHIFT) - 1)) | s.reason << REASON_SHIFT;
    program.name[sizeof program.name - 1] = '\0';
    return program;
}

static bool next_program(const struct map *map, enum sighting_kind kind, unsigned *n,
                         struct map_program *program)
{
    for (struct sighting s; (s = sighting_get(map, *n)).kind != SIGHTING_NONE;) {
        ++*n;
        if (s.kind != kind)
            continue;
        *program = sighting_of_program(map, s);
        return true;
    }
    return false;
}

bool sighting_unhookable(const struct map *map, unsigned *n, struct map_program *program)
{
    return next_program(map, SIGHTING_EXEC, n, program);
}

bool sighting_hooked_by_trap(const struct map *map, unsigned *n, struct map_program *program)
{
    return next_program(map, SIGHTING_TRAPPED, n, program);
}

const struct obstacle *sighting_obstacle(const struct map_program *program)
{
    static const struct obstacle not_known = {"the library is not in it", "see portshim doctor",
                                              "the library is not in it", "see portshim doctor"};
    uint32_t kind = atomic_load(&program->kind);
    const struct obstacle *obstacle =
        reach_obstacle((enum program_kind)(kind & KIND_MASK), (kind & PRIVILEGED) != 0);
    return obstacle != NULL ? obstacle : &not_known;
}

static bool is_in_part(uint32_t reason)
{
    return reason == UNTRAPPED_ELSEWHERE || reason == UNTRAPPED_UNREADABLE;
}

const struct obstacle *sighting_trap_obstacle(const struct map_program *program, bool *in_part)
{
    uint32_t reason = atomic_load(&program->kind) >> REASON_SHIFT;
    *in_part = is_in_part(reason);
    return untrapped_obstacle((enum untrapped)reason);
}

const char *sighting_explain(const struct map_program *program, struct text *why, bool *in_part)
{
    const struct obstacle *of_library = sighting_obstacle(program),
                          *of_trap = sighting_trap_obstacle(program, in_part);
    if (!*in_part)
        text_str(why, of_library->why);
    if (!*in_part && of_trap != NULL)
        text_str(why, ", and ");
    if (of_trap != NULL)
        text_str(why, of_trap->why);
    return of_trap != NULL ? of_trap->remedy : of_library->remedy;
}

enum reach_way sighting_way(const struct map *map, const struct stat *file)
{
    const struct room room = room_of(map);
    unsigned program = find_program(&room, sighting_device(file), file->st_ino);
    enum reach_way way = WAY_LIBRARY;
    struct sighting s;
    for (unsigned n = 0; program != SIGHTING_UNKNOWN && (s = sighting_get(map, n)).kind != SIGHTING_NONE;
         n++) {
        if (s.program == program && s.kind == SIGHTING_TRAPPED)
            return WAY_TRAP;
        if (s.program == program && s.kind == SIGHTING_EXEC && !is_in_part(s.reason))
            way = WAY_NONE;
    }
    return way;
}
