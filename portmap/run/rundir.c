#include "run/rundir.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_DIGITS = RUN_ID_BITS / 4 };

void rundir_name(char name[static RUNDIR_NAME_SIZE], uint64_t run_id)
{
    struct text t = text_in(name, RUNDIR_NAME_SIZE);
    text_str(&t, "runs/");
    text_hex(&t, run_id, ID_DIGITS);
}

int rundir_path(const struct home *home, uint64_t run_id, char path[static PATH_MAX])
{
    char name[RUNDIR_NAME_SIZE];
    rundir_name(name, run_id);
    struct text t = text_in(path, PATH_MAX);
    text_str(&t, home->path);
    text_char(&t, '/');
    text_str(&t, name);
    return t.cut ? -ENAMETOOLONG : 0;
}

bool rundir_id(const char *digits, uint64_t *run_id)
{
    uint64_t id = 0;
    if (strlen(digits) != ID_DIGITS)
        return false;
    for (; *digits != '\0'; digits++) {
        const char *digit = strchr("0123456789abcdef", *digits);
        if (digit == NULL)
            return false;
        id = id << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *run_id = id;
    return id != 0;
}

static int open_runs(const struct home *home)
{
    int fd = openat(home->fd, "runs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int rundir_each(const struct home *home, bool (*visit)(uint64_t run_id, void *context), void *context)
{
    union {
        struct dirent64 entry;
        char bytes[8192];
    } buffer;
    int fd = open_runs(home);
    if (fd < 0)
        return fd;
    ssize_t got;
    bool more = true;
    while (more && (got = getdents64(fd, &buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; more && at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            uint64_t run_id;
            at += entry->d_reclen;
            if (rundir_id(entry->d_name, &run_id))
                more = visit(run_id, context);
        }
    int error = more && got < 0 ? -errno : 0;
    close(fd);
    return error;
}

int rundir_create(const struct home *home, uint64_t *run_id)
{
    char name[RUNDIR_NAME_SIZE];
    for (;;) {
        if (getrandom(run_id, sizeof *run_id, 0) != sizeof *run_id)
            return -errno;
        *run_id &= (UINT64_C(1) << RUN_ID_BITS) - 1;
        rundir_name(name, *run_id);
        if (*run_id != 0 && mkdirat(home->fd, name, 0711) == 0)
            return fchmodat(home->fd, name, 0711, 0) < 0 ? -errno : 0; /* against a tight umask */
        if (*run_id != 0 && errno != EEXIST)
            return -errno;
    }
}

static void remove_files(int directory)
{
    union {
        struct dirent64 entry;
        char bytes[1024];
    } buffer;
    for (ssize_t got; (got = getdents64(directory, &buffer, sizeof buffer)) > 0;)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            at += entry->d_reclen;
            if (*entry->d_name != '.')
                unlinkat(directory, entry->d_name, 0);
        }
}

void rundir_remove(const struct home *home, uint64_t run_id)
{
    char name[RUNDIR_NAME_SIZE];
    rundir_name(name, run_id);
    int fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        remove_files(fd);
        close(fd);
    }
    unlinkat(home->fd, name, AT_REMOVEDIR);
}
