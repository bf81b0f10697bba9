#include "run/ended.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/lock.h"
#include "base/text.h"
#include "host/process.h"
#include "run/sighting.h"
#include "run/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The file: this, then the records. */
struct ring {
    char magic[8];
    uint32_t version;
    uint32_t size; /* of a record */
    uint32_t next; /* the place after the last record that was added */
    uint32_t padding;
    uint64_t ids[ENDED_RECORDS]; /* of the runs in these places; 0: none */
    char rest[MAP_PAGE - 24 - ENDED_RECORDS * 8];
};

enum { RING_VERSION = 2 };

static const char magic[8] = "psended";
static const char file_name[] = "ended";

/* In the id of a run that could not be made; ids of others have RUN_ID_BITS. */
#define UNMADE (UINT64_C(1) << 63)

_Static_assert(sizeof(struct ring) == MAP_PAGE, "the layout is a file format");
_Static_assert(sizeof(struct ended) == 512, "the layout is a file format, and no record lies in two pages");
_Static_assert(offsetof(struct ended, name) == 80 && offsetof(struct ended, command) == 372,
               "the layout is a file format");

uint64_t ended_file(const char *path)
{
    return text_hash(TEXT_HASH, path) | 1; /* 0 is none */
}

static void copy(char *to, size_t size, const char *from)
{
    struct text t = text_in(to, size);
    text_str(&t, from != NULL ? from : "");
    text_mark_cut(&t);
}

static void describe_programs(struct ended *ended, const struct map *map)
{
    struct map_program program;
    for (unsigned n = 0, i = 0; sighting_unhookable(map, &n, &program); i++) {
        if (i == ENDED_PROGRAMS) {
            ended->has_more = true;
            return;
        }
        ended->programs[i].kind = atomic_load(&program.kind);
        copy(ended->programs[i].name, sizeof ended->programs[i].name, program.name);
    }
}

static void describe_ports(struct ended *ended, const struct map *map)
{
    struct sighting s;
    unsigned i = 0;
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        if (s.kind != SIGHTING_BIND && s.kind != SIGHTING_REFUSED)
            continue;
        if (i == ENDED_PORTS) {
            ended->has_more = true;
            return;
        }
        struct ended_port *port = &ended->ports[i++];
        port->port = (uint16_t)s.port;
        port->bound = s.kind == SIGHTING_BIND;
        copy(port->program, sizeof port->program, sighting_program_name(map, s.program).text);
    }
}

/* Of a run of an earlier boot, whose clock was another one, only that it was made before this boot. */
static uint64_t made_date(const struct map_head *head)
{
    uint64_t date = process_date(), clock = process_clock();
    uint64_t age = clock > head->created ? clock - head->created : clock;
    return date > age ? date - age : 0;
}

void ended_describe(struct ended *ended, const struct map *map)
{
    const char *file, *directory = texts_get(map, TEXT_DIRECTORY, 0);
    memset(ended, 0, sizeof *ended);
    ended->run_id = map->head->run_id;
    ended->status = ENDED_NO_STATUS;
    ended->made = made_date(map->head);
    for (unsigned n = 0; n < ENDED_FILES && (file = texts_get(map, TEXT_FILE, n)) != NULL; n++)
        ended->files[n] = ended_file(file);
    ended->directory = directory != NULL ? ended_file(directory) : 0;
    copy(ended->name, sizeof ended->name, name_given(map));
    copy(ended->command, sizeof ended->command, texts_get(map, TEXT_COMMAND, 0));
    if (map->notes == NULL || map->head->discover)
        return;
    ended->was_bound = map_any_bound(map);
    describe_programs(ended, map);
    describe_ports(ended, map);
}

void ended_unmade(struct ended *ended, const char *name, const char *const *files, const char *command)
{
    char directory[PATH_MAX];
    memset(ended, 0, sizeof *ended);
    ended->status = ENDED_NO_STATUS;
    ended->made = process_date();
    ended->directory = getcwd(directory, sizeof directory) != NULL ? ended_file(directory) : 0;
    for (unsigned n = 0; n < ENDED_FILES && files != NULL && files[n] != NULL; n++)
        ended->files[n] = ended_file(files[n]);
    copy(ended->name, sizeof ended->name, name);
    copy(ended->command, sizeof ended->command, command);
    bool is_asked_for = ended->name[0] != '\0' || ended->files[0] != 0;
    ended->run_id = UNMADE | (is_asked_for ? ended_file(ended->name) | ended->files[0] : ended->directory);
}

bool ended_is_unmade(const struct ended *ended)
{
    return (ended->run_id & UNMADE) != 0;
}

static off_t offset_of(unsigned place)
{
    return (off_t)(sizeof(struct ring) + place * sizeof(struct ended));
}

/* Whether records may be put into the file: it is ours, or is made anew. Only a later version's is not. */
static bool prepare(int fd, struct ring *ring)
{
    ssize_t got = kernel_pread(fd, ring, sizeof *ring, 0);
    bool has_head = got == sizeof *ring && memcmp(ring->magic, magic, sizeof magic) == 0;
    if (has_head && ring->version > RING_VERSION)
        return false;
    if (has_head && ring->version == RING_VERSION && ring->size == sizeof(struct ended))
        return got >= 0;
    memset(ring, 0, sizeof *ring);
    memcpy(ring->magic, magic, sizeof magic);
    ring->version = RING_VERSION;
    ring->size = sizeof(struct ended);
    return got >= 0 && ftruncate(fd, 0) == 0;
}

/* Puts together what is known of a run from its old record and a new one. False: nothing is new. */
static bool merge(const struct ended *old, struct ended *ended)
{
    if (ended_is_unmade(ended) || old->run_id != ended->run_id || old->how == ENDED_EMPTY)
        return true;
    if (ended->how != ENDED_FOUND)
        return old->how != ENDED_EXACTLY;
    if (old->how != ENDED_COMMAND || old->found != 0)
        return false;
    uint64_t found = ended->date;
    *ended = *old;
    ended->found = found;
    return true;
}

/* The place of a run that has a record; ENDED_RECORDS when it has none. */
static unsigned place_of(const struct ring *ring, uint64_t run_id)
{
    unsigned place = 0;
    while (place < ENDED_RECORDS && ring->ids[place] != run_id)
        place++;
    return place;
}

/* The record comes first: if this process is killed before the list has it, the place stays free. */
static bool enter(int fd, struct ring *ring, struct ended *ended)
{
    struct ended old;
    unsigned place = place_of(ring, ended->run_id);
    bool is_there = place < ENDED_RECORDS;
    if (is_there && kernel_pread(fd, &old, sizeof old, offset_of(place)) == sizeof old && !merge(&old, ended))
        return true;
    if (is_there && ended_is_unmade(ended)) {
        ring->ids[place] = 0; /* the latest one belongs behind all others */
        is_there = false;
    }
    if (!is_there)
        place = ring->next % ENDED_RECORDS;
    if (file_write_at(fd, ended, sizeof *ended, offset_of(place)) != 0)
        return false;
    if (is_there)
        return true;
    ring->ids[place] = ended->run_id;
    ring->next = (place + 1) % ENDED_RECORDS;
    return file_write_at(fd, ring, sizeof *ring, 0) == 0;
}

bool ended_write(const struct home *home, const struct ended *ended)
{
    struct stat st;
    struct ring ring;
    struct ended record = *ended;
    int fd = file_share(home->fd, file_name);
    if (fd < 0)
        return false;
    bool written = file_look(fd, &st) == 0 && lock_wait(fd, LOCK_EX, LOCK_BRIEF) == 0 && prepare(fd, &ring) &&
                   enter(fd, &ring, &record);
    lock_release(fd);
    return written;
}

/* Ends the texts, which may be any bytes. */
static void check(struct ended *ended)
{
    ended->name[sizeof ended->name - 1] = '\0';
    ended->command[sizeof ended->command - 1] = '\0';
    for (unsigned i = 0; i < ENDED_PROGRAMS; i++)
        ended->programs[i].name[sizeof ended->programs[i].name - 1] = '\0';
    for (unsigned i = 0; i < ENDED_PORTS; i++)
        ended->ports[i].program[sizeof ended->ports[i].program - 1] = '\0';
}

static int latest_first(const void *a, const void *b)
{
    const struct ended *one = a, *other = b;
    return one->made > other->made ? -1 : one->made < other->made;
}

static unsigned read_records(int fd, struct ended *records)
{
    struct ring ring;
    unsigned count = 0;
    bool ours = kernel_pread(fd, &ring, sizeof ring, 0) == sizeof ring &&
                memcmp(ring.magic, magic, sizeof magic) == 0 && ring.version == RING_VERSION &&
                ring.size == sizeof(struct ended);
    for (unsigned place = 0; ours && place < ENDED_RECORDS; place++) {
        struct ended *record = &records[count];
        if (ring.ids[place] == 0 ||
            kernel_pread(fd, record, sizeof *record, offset_of(place)) != sizeof *record ||
            record->run_id != ring.ids[place] || record->how == ENDED_EMPTY || record->how > ENDED_FOUND)
            continue;
        check(record);
        count++;
    }
    return count;
}

unsigned ended_read(const struct home *home, struct ended records[static ENDED_RECORDS])
{
    struct stat st;
    unsigned count = 0;
    int fd = openat(home->fd, file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (file_look(fd, &st) == 0) {
        lock_wait(fd, LOCK_SH, LOCK_BRIEF); /* without it, a record may be half of two */
        count = read_records(fd, records);
    }
    lock_release(fd);
    if (count > 0)
        qsort(records, count, sizeof *records, latest_first);
    return count;
}
