/*
 * The notes and the late tables of a run, which any of its processes can have filled with anything:
 * run/map.h, run/sighting.h, rules/view.h. The input is a list of stores into them and of what the run's
 * other processes and commands do meanwhile.
 */
#include "home.h"

#include "rules/view.h"
#include "run/compact.h"
#include "run/files.h"
#include "run/publish.h"
#include "run/rundir.h"
#include "run/sighting.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Known at start, with their real ports; late ones, FIRST to LAST, of which some are ephemeral; and ports
 * leased for these. */
enum { KNOWN = 80, KNOWN_REAL = 20080, EPHEMERAL = 40000, EPHEMERAL_LAST = 50000 };
enum { FIRST = 39990, LAST = 40010, GRANTED = 20000, GRANTED_LAST = 20015, LOWEST = 1024 };

static struct part {
    struct map map;
    char *notes;
    size_t notes_size;
} parts[2]; /* with small notes and with large ones */

static void make(struct part *part, const struct home *home, bool discover)
{
    char secret[SECRET_SIZE];
    struct rundir dir;
    struct files_kind kind = {.late = true, .discover = discover};
    must(rundir_create(home, &dir) == 0 && files_secret(secret) == 0);
    must(files_create(&part->map, dir.fd, dir.entry.run_id, secret, kind) == 0);
    rundir_unlock(&dir);
    part->notes = (char *)part->map.notes;
    part->notes_size = discover ? sizeof(struct map_large_notes) : sizeof(struct map_notes);
    struct map_head *head = part->map.head;
    head->ephemeral_first = EPHEMERAL;
    head->ephemeral_last = EPHEMERAL_LAST;
    for (unsigned port = FIRST; port <= LAST; port++) {
        portbits_add(&head->late[0], port);
        portbits_add(&head->late_listed[0], port);
    }
    must(map_assign(&part->map, KNOWN, KNOWN_REAL, (uint32_t)PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT) == 0);
    for (unsigned port = GRANTED; port <= GRANTED_LAST; port++)
        map_grant(&part->map, port);
}

static void begin(void)
{
    static struct home home;
    fuzz_open_home(&home);
    make(&parts[0], &home, false);
    make(&parts[1], &home, true);
}

/* Ports that something may mean: those above and their neighbours. */
static unsigned port_of(const uint8_t **data, size_t *size)
{
    static const unsigned bases[] = {FIRST - 2,          GRANTED - 2, KNOWN - 2, KNOWN_REAL - 2,
                                     EPHEMERAL_LAST - 2, 0,           1022,      65534};
    unsigned byte = (unsigned)fuzz_number(data, size, 1);
    unsigned base = bases[byte >> 5], port = base + (byte & 31);
    return port < PORT_COUNT ? port : PORT_COUNT - 1;
}

static bool is_ours(const struct map *map, unsigned real)
{
    return (real >= GRANTED && real <= GRANTED_LAST) || (real >= LOWEST && map_is_ephemeral(map, real));
}

static bool is_late(unsigned placeholder)
{
    return placeholder >= FIRST && placeholder <= LAST;
}

/* What a number means, in either direction, is this run's own. */
static void check_port(const struct map *map, unsigned port)
{
    uint32_t entry = map_to_kernel(map, port), back = map_to_program(map, port);
    unsigned number = map_entry_port(entry), placeholder = map_entry_port(back);
    if (port == KNOWN)
        must(number == KNOWN_REAL && !(entry & MAP_LATE));
    else if (entry & MAP_ALIAS)
        must(is_late(number) && is_ours(map, port));
    else
        must(entry == 0 || (is_late(port) && is_ours(map, number)));
    if (port == KNOWN_REAL)
        must(placeholder == KNOWN && !(back & MAP_LATE));
    else if (back & MAP_ALIAS)
        must(is_late(port) && is_ours(map, placeholder));
    else
        must(back == 0 || (is_late(placeholder) && is_ours(map, port)));
    must(map_protocols(map, port) <= PORTMAP_BOTH);
    map_was_bound(map, port);
    map_was_given(map, port);
}

static void check_late_entry(const struct map *map, uint32_t entry)
{
    must(entry == 0 || is_ours(map, map_entry_port(entry)));
}

/* One store, as a process of the run can make it. */
static void store(struct part *part, const uint8_t **data, size_t *size)
{
    struct map_late *late = part->map.late;
    unsigned where = (unsigned)fuzz_number(data, size, 1);
    if (where < 100)
        atomic_store(&late->to_kernel[port_of(data, size)], (uint32_t)fuzz_number(data, size, 4));
    else if (where < 200)
        atomic_store(&late->to_program[port_of(data, size)], (uint32_t)fuzz_number(data, size, 4));
    else if (where < 220)
        atomic_store(&late->stock[where % MAP_STOCK], (uint32_t)fuzz_number(data, size, 4));
    else if (where < 230)
        atomic_store(&late->given[port_of(data, size) / 64], fuzz_number(data, size, 8));
    else if (where < 235)
        atomic_store(&late->bound[port_of(data, size) / 64], fuzz_number(data, size, 8));
    else if (where < 237)
        atomic_store(&late->count, (uint32_t)fuzz_number(data, size, 4));
    else
        for (uint64_t at = fuzz_number(data, size, 2) % part->notes_size, left = 8; left > 0; left--)
            part->notes[at++ % part->notes_size] = (char)fuzz_number(data, size, 1);
}

/* What a process of the run does with a late placeholder. */
static void assign(struct map *map, const uint8_t **data, size_t *size)
{
    unsigned how = (unsigned)fuzz_number(data, size, 1);
    unsigned placeholder = FIRST + (unsigned)fuzz_number(data, size, 1) % (LAST - FIRST + 1);
    unsigned granted = GRANTED + how / 8 % (GRANTED_LAST - GRANTED + 1);
    unsigned chosen = EPHEMERAL + how * 37;
    uint32_t entry = map_to_kernel(map, placeholder);
    if (entry & MAP_ALIAS)
        entry = 0;
    switch (how % 8) {
    case 0:
        if (map_take_late(map, placeholder, &entry))
            must(map_real(map, placeholder) == map_entry_port(entry));
        break;
    case 1:
        map_enter_late(map, placeholder, granted, &entry);
        break;
    case 2:
        map_choose_late(map, placeholder, chosen, &entry);
        break;
    case 3:
        map_alias_late(map, placeholder);
        break;
    case 4:
        entry = map_share_late(map, placeholder);
        break;
    case 5:
        map_stock_put(map, granted);
        break;
    case 6:
        map_stock_remove(map, granted);
        break;
    case 7:
        map_note_given(map, placeholder);
        map_note_bound(map, placeholder);
        map_wake(map);
        map_note_exec(map);
        break;
    }
    if (!(entry & MAP_ALIAS))
        check_late_entry(map, entry);
}

static void look_at_log(struct map *map)
{
    uint32_t next = map_log_next(map);
    for (uint32_t n = next - map_log_size(map); n != next; n++)
        must(map_log_record(map, n).event < MAP_EVENTS);
    map_was_joined(map, next - map_log_size(map) / 4);
    map_was_joined(map, 0);
    map_log(map, MAP_EVENT_LATE, 1, 2, 3, 0);
}

static void look_at_sightings(struct map *map, const uint8_t **data, size_t *size)
{
    struct map_program program;
    unsigned n = 0, last = 0;
    struct sighting s;
    for (unsigned i = 0; (s = sighting_get(map, i)).kind != SIGHTING_NONE; i++) {
        must(s.kind < SIGHTING_KINDS && s.port < PORT_COUNT && s.protocols <= PORTMAP_BOTH);
        must(s.reason < UNTRAPPED_KINDS && (s.port == 0 || s.kind <= SIGHTING_CONNECT));
        struct sighting_name name = sighting_program_name(map, s.program);
        must(strnlen(name.text, sizeof name.text) < sizeof name.text);
    }
    while (sighting_unhookable(map, &n, &program)) {
        must(n > last && strnlen(program.name, sizeof program.name) < sizeof program.name);
        const struct obstacle *obstacle = sighting_obstacle(&program);
        must(obstacle != NULL && obstacle->why != NULL && obstacle->remedy != NULL);
        bool in_part;
        obstacle = sighting_trap_obstacle(&program, &in_part);
        must(obstacle == NULL || (obstacle->why_in_full != NULL && obstacle->remedy_in_full != NULL));
        last = n;
    }
    struct reach reach = {.path = "a/program"};
    reach.file.st_dev = fuzz_number(data, size, 1) % 4;
    reach.file.st_ino = fuzz_number(data, size, 1) % 4;
    if (sighting_knows(map, &reach))
        reach_obstacle(reach.kind, reach.is_privileged);
    reach.kind = PROGRAM_STATIC;
    sighting_remember(map, &reach);
    sighting_started(map, &reach);
    sighting_trapped(map, &reach);
    sighting_way(map, &reach.file);
    sighting_note(map, (struct sighting){.kind = SIGHTING_BIND, .port = 99, .program = s.program});
    sighting_is_full(map, SIGHTING_BIND);
    sighting_program(map, 1, 2, "name");
}

/* What a command and a new process read of all of it. */
static void look_at_all(struct map *map)
{
    static struct view view;
    struct portbits assigned;
    char secret[SECRET_SIZE] = "0123456789abcdef0123456789abcdef", text[500];
    struct compact compact;
    publish_assigned(map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        must(port == KNOWN || is_late(port));
        map_real(map, port);
        map_alias(map, port);
    }
    for (unsigned i = 0; i < MAP_STOCK; i++)
        must(map_stock(map, i) == 0 || (map_stock(map, i) >= GRANTED && map_stock(map, i) <= GRANTED_LAST));
    map_any_bound(map);
    must(compact_write(map, secret, &(struct compact_trap){0}, text, sizeof text) &&
         compact_read_head(text, &compact));
    memset(&view, 0, sizeof view);
    must(view_add_map(&view, map));
    must(map_entry_port(view_to_kernel(&view, KNOWN, VIEW_BIND).entry) == KNOWN_REAL);
    for (unsigned port = FIRST; port <= LAST; port++) {
        uint32_t entry = view_to_kernel(&view, port, VIEW_REACH).entry;
        must(entry == 0 || (entry & MAP_ALIAS) != 0 || is_ours(map, map_entry_port(entry)));
        view_to_program(&view, port);
        view_note_bound(&view, port);
    }
    map->known = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (parts[0].notes == NULL)
        begin();
    struct part *part = &parts[fuzz_number(&data, &size, 1) % 2];
    struct map *map = &part->map;
    memset(part->notes, 0, part->notes_size);
    memset(map->late, 0, sizeof *map->late);
    while (size > 0) {
        unsigned what = (unsigned)fuzz_number(&data, &size, 1) % 16;
        if (what < 8)
            store(part, &data, &size);
        else if (what < 13)
            assign(map, &data, &size);
        else if (what == 13)
            look_at_log(map);
        else if (what == 14)
            look_at_sightings(map, &data, &size);
        else
            look_at_all(map);
        check_port(map, port_of(&data, &size));
    }
    for (unsigned port = FIRST - 2; port <= LAST + 2; port++)
        check_port(map, port);
    for (unsigned port = GRANTED - 2; port <= GRANTED_LAST + 2; port++)
        check_port(map, port);
    return 0;
}
