/*
 * The files of a run as others who share the home, or a power cut, may have left them: run/files.h,
 * run/texts.h. The first byte says which file the rest of the input is for.
 */
#include "home.h"

#include "error.h"
#include "run/files.h"
#include "run/life.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/rundir.h"
#include "run/texts.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct home home;
static char name[RUNDIR_NAME_SIZE], secret[SECRET_SIZE], late_name[SECRET_SIZE + 8], path[2 * PATH_MAX];
static const char *const files[] = {"texts", "map", secret, late_name};
static char *good[4];
static off_t good_size[4];
enum { HEAD = 2 };
static uint64_t id;
static int dir;

/* Makes a run and keeps a copy of its files. */
static void begin(void)
{
    static struct texts texts;
    struct map map;
    struct rundir made;
    fuzz_open_home(&home);
    must(rundir_create(&home, &made) == 0 && rundir_new_id(&id) == 0 && files_secret(secret) == 0);
    must(rundir_rename(&home, &made, id) == 0);
    rundir_unlock(&made);
    rundir_name(name, id);
    snprintf(late_name, sizeof late_name, "%s.late", secret);
    snprintf(path, sizeof path, "%s/%s/%s", home.path, name, secret);
    dir = openat(home.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(dir >= 0 && files_create(&map, dir, id, secret, (struct files_kind){.late = true}) == 0);
    must(map_assign(&map, 80, 20080, (uint32_t)PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT) == 0);
    texts_begin(&texts, id, secret);
    must(texts_add(&texts, TEXT_COMMAND, "a command") && texts_add(&texts, TEXT_NAME, "name"));
    must(texts_add(&texts, TEXT_FILE, "/a/file") && texts_write(&texts, &map, dir) == 0);
    files_close(&map);
    for (unsigned i = 0; i < 4; i++) {
        struct stat st;
        int fd = openat(dir, files[i], O_RDONLY | O_CLOEXEC);
        must(fd >= 0 && fstat(fd, &st) == 0);
        good_size[i] = st.st_size;
        good[i] = malloc((size_t)st.st_size);
        must(good[i] != NULL && read(fd, good[i], (size_t)st.st_size) == st.st_size);
        close(fd);
    }
}

static void write_file(unsigned i, const void *bytes, off_t size)
{
    int fd = openat(dir, files[i], O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, size) == 0 && pwrite(fd, bytes, (size_t)size, 0) == size);
    close(fd);
}

/* The texts are the input, or begin as they should and go on with it. */
static void change_texts(const uint8_t *data, size_t size)
{
    size_t kept = 0;
    char *bytes = malloc((size_t)good_size[0] + size);
    must(bytes != NULL);
    if (size > 0 && data[0] % 2 == 1) {
        kept = (size_t)good_size[0];
        memcpy(bytes, good[0], kept);
    }
    memcpy(bytes + kept, data, size);
    write_file(0, bytes, (off_t)(kept + size));
    free(bytes);
}

/* Another file gets some of its bytes changed, and may be cut short. True when it was. */
static bool change_file(unsigned i, const uint8_t *data, size_t size)
{
    off_t cut = (off_t)fuzz_number(&data, &size, 3);
    off_t left = cut < good_size[i] ? cut : good_size[i];
    char *bytes = malloc((size_t)good_size[i]);
    must(bytes != NULL);
    memcpy(bytes, good[i], (size_t)good_size[i]);
    while (size > 0) {
        size_t at = fuzz_number(&data, &size, 1) % 2 == 0 ? 0 : fuzz_number(&data, &size, 2);
        at += fuzz_number(&data, &size, 1);
        bytes[at % (size_t)good_size[i]] = (char)fuzz_number(&data, &size, 1);
    }
    write_file(i, bytes, left);
    free(bytes);
    return left < good_size[i];
}

static void look_at_texts(const struct map *map)
{
    const char *text;
    for (enum text_key key = TEXT_RUN; key <= TEXT_FILE; key++)
        for (unsigned n = 0; (text = texts_get(map, key, n)) != NULL; n++)
            must(text > map->texts && text + strlen(text) < map->texts + map->texts_size);
    name_given(map);
}

/* Reads all that a command reads of a map. */
static void look_at_map(const struct map *map)
{
    struct portbits assigned;
    uint32_t count = map_start_count(map);
    must(count <= MAP_START_MAX);
    for (uint32_t i = 0; i < count; i++)
        map_pair_entry(map_start(map, i));
    publish_assigned(map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;)
        map_real(map, port);
    map_late_protocols(map, 9000);
    map_any_bound(map);
    map_log_record(map, 0);
}

/* Judges the run, as each command does with some, and reads which ports it gives back. */
static void look_at_life(void)
{
    static struct portbits ports;
    struct life_judge judge = {0};
    struct life_look look = life_look(&home, id, &judge);
    must(look.state <= RUN_GONE && look.files <= LIFE_OTHER);
    if (look.fd >= 0)
        must(life_ports(&look, &ports) <= PORT_COUNT && !portbits_has(&ports, 0));
    life_look_away(&look);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct map map;
    int judge;
    if (dir == 0)
        begin();
    unsigned i = (unsigned)fuzz_number(&data, &size, 1) % 4;
    bool is_cut = false;
    if (i == 0)
        change_texts(data, size);
    else
        is_cut = change_file(i, data, size);
    look_at_life();
    if (files_open(&map, home.fd, name) == 0) {
        look_at_texts(&map);
        look_at_map(&map);
        files_close(&map);
    }
    /* A process of the run trusts its owner with the sizes of files: docs/SECURITY.md. */
    if (!is_cut && files_join(&map, path, &judge) == 0) {
        look_at_map(&map);
        files_close(&map);
    }
    write_file(i, good[i], good_size[i]);
    write_file(HEAD, good[HEAD], good_size[HEAD]); /* whoever judges a run writes there */
    return 0;
}
