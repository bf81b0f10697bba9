#include "serve/keep.h"

#include "base/text.h"
#include "host/held.h"
#include "lease/home.h"
#include "lease/table.h"
#include "run/life.h"
#include "run/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_below(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH};
    return (int)syscall(__NR_openat2, dir, path, &how, sizeof how);
}

static int open_home_of(uid_t uid)
{
    char name[32];
    struct text t = text_in(name, sizeof name);
    struct stat st;
    uid_t number;
    if (home_number(uid, &number) != 0) {
        errno = ENOENT;
        return -1;
    }
    text_str(&t, "portshim-");
    text_uint(&t, number);
    int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (tmp < 0)
        return -1;
    int home = open_below(tmp, name, O_RDONLY | O_DIRECTORY), error = errno;
    close(tmp);
    errno = error;
    if (home >= 0 && (fstat(home, &st) < 0 || st.st_uid != uid)) {
        close(home);
        errno = EPERM;
        return -1;
    }
    return home;
}

/* Whether opening a file failed for want of a descriptor or of memory, which says nothing about the file. */
static bool lacks_means(void)
{
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

/* Opens a file of a run. Returns -1 when it is not a regular one of this user. */
static int open_file(const struct serve_keep *keep, uint64_t run_id, const char *file)
{
    char directory[RUNDIR_NAME_SIZE], path[RUNDIR_NAME_SIZE + SECRET_SIZE];
    struct stat st;
    rundir_name(directory, run_id);
    snprintf(path, sizeof path, "%s/%s", directory, file);
    int fd = open_below(keep->home, path, O_RDONLY);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == keep->uid))
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* Whether a run of version 0.1 has processes: they hold flock(2) on its map. */
static bool is_elder_locked(const struct serve_keep *keep, uint64_t run_id)
{
    int fd = open_file(keep, run_id, "map");
    if (fd < 0)
        return lacks_means();
    bool locked = flock(fd, LOCK_EX | LOCK_NB) < 0;
    close(fd);
    return locked;
}

/* Whether a run has processes that have its lock. */
static bool is_locked(const struct serve_keep *keep, uint64_t run_id)
{
    char secret[SECRET_SIZE];
    uint64_t written;
    int texts = open_file(keep, run_id, "texts");
    if (texts < 0)
        return lacks_means() || is_elder_locked(keep, run_id);
    bool known = life_read_texts(texts, &written, secret) == 0 && written == run_id;
    close(texts);
    int fd = known ? open_file(keep, run_id, secret) : -1;
    if (fd < 0)
        return known && lacks_means();
    bool locked = life_is_locked(fd);
    close(fd);
    return locked;
}

void serve_keep_open(struct serve_keep *keep, uid_t uid)
{
    *keep = (struct serve_keep){.uid = uid, .home = open_home_of(uid), .table = -1};
    if (keep->home >= 0)
        keep->table = open_below(keep->home, "leases", O_RDONLY);
    keep->unknown = keep->table < 0 && lacks_means();
    if (keep->table >= 0 && !lease_is_table(keep->table)) {
        close(keep->table);
        keep->table = -1;
    }
}

static uint64_t run_of(const struct serve_keep *keep, unsigned port)
{
    return keep->table >= 0 ? lease_owner_run(lease_peek(keep->table, port)) : 0;
}

bool serve_keep_is_named(const struct serve_keep *keep, unsigned port)
{
    return keep->unknown || run_of(keep, port) != 0;
}

bool serve_keep_is_needed(struct serve_keep *keep, unsigned port)
{
    uint64_t run_id = run_of(keep, port);
    if (keep->unknown)
        return true;
    if (run_id == 0)
        return false;
    if (run_id != keep->run_id) {
        keep->alive = is_locked(keep, run_id);
        keep->asked++;
    }
    keep->run_id = run_id;
    return keep->alive || held_port(port);
}

void serve_keep_close(struct serve_keep *keep)
{
    if (keep->table >= 0)
        close(keep->table);
    if (keep->home >= 0)
        close(keep->home);
}

/* Whether the directory is a default home: its name has the number of its owner, *uid. */
static bool is_home(int tmp, const char *name, uid_t *uid)
{
    static const char prefix[] = "portshim-";
    const char *digits = name + sizeof prefix - 1, *end = name + strlen(name);
    struct stat st;
    uint64_t written;
    uid_t number;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 || (*digits == '0' && digits[1] != '\0') ||
        !text_take_uint(&digits, end, UINT32_MAX, &written) || digits != end ||
        fstatat(tmp, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *uid = st.st_uid;
    return home_number(*uid, &number) == 0 && number == written;
}

void serve_keep_each_user(void (*visit)(uid_t uid, void *context), void *context)
{
    DIR *tmp = opendir("/tmp");
    if (tmp == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(tmp)) != NULL;) {
        uid_t uid;
        if (is_home(dirfd(tmp), entry->d_name, &uid))
            visit(uid, context);
    }
    closedir(tmp);
}
