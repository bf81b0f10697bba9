/* Homes and runs in the directory of the test. */
#ifndef UNIT_PLACES_H
#define UNIT_PLACES_H

#include "directory.h"
#include "maps.h"

#include "lease/home.h"
#include "run/rundir.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>

/* The absolute path of something in it, valid until the eighth call from now. */
__attribute__((format(printf, 1, 2))) static inline const char *in_directory(const char *name, ...)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];
    int used = snprintf(path, PATH_MAX, "%s/", directory);
    va_list rest;
    va_start(rest, name);
    vsnprintf(path + used, (size_t)(PATH_MAX - used), name, rest);
    va_end(rest);
    return path;
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s: %m", path);
}

static inline const char *read_text(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    check(file != NULL, "%s: %m", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* A home below the directory. */
static inline struct home new_home(const char *name)
{
    struct home home;
    char variable[PATH_MAX + 16];
    snprintf(variable, sizeof variable, "PORTSHIM_HOME=%s", in_directory("%s", name));
    char *env[] = {variable, NULL};
    equal(home_open(&home, env), 0);
    return home;
}

/* A run of a home with an empty map, which lives as long as this process has that. */
static inline struct map *new_run_of(const struct home *home, struct files_kind kind)
{
    char name[RUNDIR_NAME_SIZE], secret[SECRET_SIZE];
    struct map *map = malloc(sizeof *map);
    struct texts *texts = malloc(sizeof *texts);
    uint64_t id;
    int made;
    check(map != NULL && texts != NULL, "%m");
    do { /* random() gives the same number twice among a hundred for two seeds of a million */
        id = (uint64_t)getpid() << 32 | (uint64_t)random();
        rundir_name(name, id);
        made = mkdirat(home->fd, name, 0711);
    } while (made < 0 && errno == EEXIST);
    check(made == 0, "%m");
    equal(files_secret(secret), 0);
    texts_begin(texts, id, secret);
    int fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY);
    equal(files_create(map, fd, id, secret, kind), 0);
    equal(texts_write(texts, map, fd), 0);
    close(fd);
    return map;
}

static inline struct map *new_run(const struct home *home)
{
    return new_run_of(home, (struct files_kind){.late = false});
}

/* Removes the directory of a run, as somebody does by hand. */
static inline void remove_run(const struct home *home, uint64_t id)
{
    char name[RUNDIR_NAME_SIZE];
    rundir_name(name, id);
    int fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY);
    remove_all_in(fd);
    close(fd);
    check(unlinkat(home->fd, name, AT_REMOVEDIR) == 0, "%m");
}

/* The path of a run's head. */
static inline const char *head_of(const struct home *home, const struct map *run)
{
    static char path[PATH_MAX];
    size_t used;
    equal(rundir_path(home, run->head->run_id, path), 0);
    used = strlen(path);
    snprintf(path + used, sizeof path - used, "/%s", texts_get(run, TEXT_SECRET, 0));
    return path;
}

#endif
