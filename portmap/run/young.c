#include "run/young.h"

#include "base/file.h"
#include "base/text.h"
#include "run/publish.h"
#include "run/rundir.h"
#include "run/texts.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Touches the entries of a directory: all, or the symbolic links to that target. */
static void touch_entries(int dir, const char *target)
{
    union {
        struct dirent64 entry;
        char bytes[4096];
    } buffer;
    for (ssize_t got; (got = getdents64(dir, (void *)&buffer, sizeof buffer)) > 0;)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            char leads[RUNDIR_NAME_SIZE] = "";
            at += entry->d_reclen;
            if (target != NULL)
                readlinkat(dir, entry->d_name, leads, sizeof leads - 1);
            if (*entry->d_name != '.' && (target == NULL || strcmp(leads, target) == 0))
                utimensat(dir, entry->d_name, NULL, AT_SYMLINK_NOFOLLOW);
        }
}

static int open_directory(const struct home *home, const char *name)
{
    return openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void touch_names(const struct home *home, const char *run)
{
    int names = open_directory(home, "names");
    if (names < 0)
        return;
    touch_entries(names, run + strlen("runs/"));
    close(names);
}

static void touch_map_files(const struct home *home, uint64_t run_id, const char *run)
{
    char path[PATH_MAX];
    struct map map = {.fd = -1};
    if (rundir_path(home, run_id, path) != 0 || texts_open(&map, home->fd, run) != 0)
        return;
    publish_keep_young(&map, path);
    texts_close(&map);
}

/* The directory comes last: if this process is killed before, another one does it all again. */
void young_keep(const struct home *home, uint64_t run_id)
{
    char run[RUNDIR_NAME_SIZE];
    struct stat st;
    rundir_name(run, run_id);
    if (fstatat(home->fd, run, &st, AT_SYMLINK_NOFOLLOW) < 0 || !file_is_old(&st))
        return;
    int dir = open_directory(home, run);
    if (dir < 0)
        return;
    touch_entries(dir, NULL);
    touch_names(home, run);
    touch_map_files(home, run_id, run);
    futimens(dir, NULL);
    close(dir);
}
