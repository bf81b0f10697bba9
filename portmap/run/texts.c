#include "run/texts.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const keys[] = {
    [TEXT_RUN] = "run",   [TEXT_SECRET] = "secret",       [TEXT_COMMAND] = "command",
    [TEXT_NAME] = "name", [TEXT_OUTER] = "outer",         [TEXT_AROUND] = "around",
    [TEXT_FILE] = "file", [TEXT_DIRECTORY] = "directory", [TEXT_KEY] = "key"};

void texts_begin(struct texts *texts, uint64_t run_id, const char *secret)
{
    char directory[RUNDIR_NAME_SIZE];
    rundir_name(directory, run_id);
    texts->size = 0;
    texts_add(texts, TEXT_RUN, strchr(directory, '/') + 1);
    texts_add(texts, TEXT_SECRET, secret);
}

bool texts_add(struct texts *texts, enum text_key key, const char *value)
{
    struct text t = text_in(texts->bytes + texts->size, sizeof texts->bytes - texts->size - 1);
    if (sizeof texts->bytes - texts->size < 2)
        return false;
    text_str(&t, keys[key]);
    text_char(&t, '=');
    text_str(&t, value);
    if (!t.cut)
        texts->size += t.used + 1;
    return !t.cut;
}

int texts_write(const struct texts *texts, struct map *map, int run_dir)
{
    struct stat st;
    int fd = file_share(run_dir, "texts");
    if (fd < 0)
        return fd;
    int error = file_write(fd, texts->bytes, texts->size);
    if (error == 0)
        error = file_look(fd, &st);
    /* Not before: ext4 writes a file to the disk at once that was emptied and filled again. */
    if (error == 0 && st.st_size > (off_t)texts->size && ftruncate(fd, (off_t)texts->size) < 0)
        error = -errno;
    close(fd);
    if (error == 0) {
        map->texts = texts->bytes;
        map->texts_size = texts->size;
        map->texts_mapped = false;
    }
    return error;
}

int texts_append(struct texts *texts, struct map *map, const char *run, enum text_key key, const char *value)
{
    char path[PATH_MAX];
    struct text t = text_in(path, sizeof path);
    size_t before = texts->size;
    if (!texts_add(texts, key, value))
        return PORTMAP_ETOOMANY;
    text_str(&t, run);
    text_str(&t, "/texts");
    int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    int error = fd < 0 ? -errno : file_write(fd, texts->bytes + before, texts->size - before);
    if (fd >= 0)
        close(fd);
    map->texts_size = texts->size;
    return error;
}

static int copy_texts(struct map *map, int fd)
{
    struct stat st;
    int error = file_look_written(fd, &st);
    if (error != 0)
        return error;
    if (st.st_size > TEXTS_MAX)
        return PORTMAP_ETORN;
    /* A copy: when the run has ended, the next one may write its own texts to this file. */
    size_t size = (size_t)st.st_size;
    char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        return -errno;
    map->texts = copy;
    map->texts_size = size;
    map->texts_mapped = true;
    return kernel_pread(fd, copy, size, 0) == (ssize_t)size && copy[size - 1] == '\0' ? 0 : PORTMAP_ETORN;
}

int texts_open(struct map *map, int dir, const char *run)
{
    char path[PATH_MAX];
    struct text t = text_in(path, sizeof path);
    text_str(&t, run);
    text_str(&t, "/texts");
    if (t.cut)
        return -ENAMETOOLONG;
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = copy_texts(map, fd);
    close(fd);
    if (error != 0)
        texts_close(map);
    return error;
}

void texts_close(struct map *map)
{
    if (map->texts_mapped)
        munmap((void *)(uintptr_t)map->texts, map->texts_size);
    map->texts = NULL;
    map->texts_size = 0;
    map->texts_mapped = false;
}

const char *texts_get(const struct map *map, enum text_key key, unsigned n)
{
    size_t len = strlen(keys[key]);
    for (size_t at = 0; at < map->texts_size; at += strlen(map->texts + at) + 1) {
        const char *text = map->texts + at;
        if (strncmp(text, keys[key], len) == 0 && text[len] == '=' && n-- == 0)
            return text + len + 1;
    }
    return NULL;
}
