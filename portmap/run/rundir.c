#include "run/rundir.h"

#include "base/lock.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_DIGITS = RUN_ID_BITS / 4 };

/* The longest entry fits into the former. */
enum { FEW_BYTES = 320, MANY_BYTES = 8192 };

static void entry_name(char name[static RUNDIR_NAME_SIZE], const struct rundir_entry *entry)
{
    struct text t = text_in(name, RUNDIR_NAME_SIZE);
    text_str(&t, entry->draft ? "runs/." : "runs/");
    text_hex(&t, entry->run_id, ID_DIGITS);
}

void rundir_name(char name[static RUNDIR_NAME_SIZE], uint64_t run_id)
{
    entry_name(name, &(struct rundir_entry){.run_id = run_id});
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
        int value = text_hex_value(*digits);
        if (value < 0)
            return false;
        id = id << 4 | (uint64_t)value;
    }
    *run_id = id;
    return id != 0;
}

static int open_runs(const struct home *home)
{
    int fd = openat(home->fd, "runs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool read_entry(const char *name, struct rundir_entry *entry)
{
    entry->draft = *name == '.';
    return rundir_id(name + entry->draft, &entry->run_id);
}

/* A walk through the directories. */
struct walk {
    const struct home *home;
    uint64_t *position;
    size_t size; /* of what is read at once */
    bool (*visit)(const struct rundir_entry *entry, void *context);
    void *context;
    struct rundir_entry first; /* that was visited; no id: none yet */
    bool again;         /* the walk has begun at the front again, and ends when it comes to the first */
    bool may_be_at_end; /* it is over, and no more runs were found at once */
};

static bool has_run(const char *found, ssize_t size)
{
    for (ssize_t at = 0; at < size;) {
        const struct dirent64 *dirent = (const void *)(found + at);
        struct rundir_entry entry;
        if (read_entry(dirent->d_name, &entry))
            return true;
        at += dirent->d_reclen;
    }
    return false;
}

/* Visits what one call of getdents64(2) has found. False: the walk is over. */
static bool visit_found(struct walk *w, const char *found, ssize_t size)
{
    for (ssize_t at = 0; at < size;) {
        const struct dirent64 *dirent = (const void *)(found + at);
        struct rundir_entry entry;
        at += dirent->d_reclen;
        if (!read_entry(dirent->d_name, &entry))
            continue;
        if (w->again && entry.run_id == w->first.run_id)
            return false;
        if (w->first.run_id == 0)
            w->first = entry;
        *w->position = (uint64_t)dirent->d_off;
        if (!w->visit(&entry, w->context)) {
            w->may_be_at_end = !has_run(found + at, size - at);
            return false;
        }
    }
    return true;
}

/* Walks from *w->position to the end. 1; 0 when the walk is over; or a negated errno. Opens the directory
 * anew each time: ext4 finds nothing from the front on when the same descriptor was at the end. */
static int walk_on(struct walk *w)
{
    union {
        struct dirent64 entry;
        char bytes[MANY_BYTES];
    } buffer;
    ssize_t got = 0;
    int more = 1, fd = open_runs(w->home);
    if (fd < 0)
        return fd;
    /* A position from another file system, or from before a change, may not be one. */
    if (*w->position == 0 || lseek64(fd, (off64_t)*w->position, SEEK_SET) >= 0)
        while (more && (got = getdents64(fd, (void *)&buffer, w->size)) > 0)
            more = visit_found(w, buffer.bytes, got);
    /* One more call now saves the next walk one through nothing, where there are few runs. */
    if (w->may_be_at_end && getdents64(fd, (void *)&buffer, w->size) == 0)
        *w->position = 0;
    close(fd);
    return more;
}

int rundir_each_from(const struct home *home, uint64_t *position, bool few,
                     bool (*visit)(const struct rundir_entry *entry, void *context), void *context)
{
    struct walk w = {.home = home,
                     .position = position,
                     .size = few ? FEW_BYTES : MANY_BYTES,
                     .visit = visit,
                     .context = context};
    bool from_front = *position == 0;
    int more = walk_on(&w);
    if (more > 0 && !from_front) {
        *position = 0;
        w.again = true;
        more = walk_on(&w);
    }
    if (more > 0)
        *position = 0; /* at the end */
    return more < 0 ? more : 0;
}

struct visiting_runs {
    bool (*visit)(uint64_t run_id, void *context);
    void *context;
};

static bool visit_run(const struct rundir_entry *entry, void *context)
{
    const struct visiting_runs *visiting = context;
    return entry->draft || visiting->visit(entry->run_id, visiting->context);
}

int rundir_each(const struct home *home, bool (*visit)(uint64_t run_id, void *context), void *context)
{
    struct visiting_runs visiting = {visit, context};
    uint64_t front = 0;
    return rundir_each_from(home, &front, false, visit_run, &visiting);
}

/* Whether the open directory still has its name. */
static bool has_its_name(const struct home *home, const struct rundir *dir)
{
    char name[RUNDIR_NAME_SIZE];
    struct stat open, named;
    entry_name(name, &dir->entry);
    return fstat(dir->fd, &open) == 0 && fstatat(home->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

int rundir_lock(const struct home *home, const struct rundir_entry *entry, struct rundir *dir)
{
    char name[RUNDIR_NAME_SIZE];
    entry_name(name, entry);
    *dir = (struct rundir){.fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                           .entry = *entry};
    if (dir->fd < 0)
        return -errno;
    int error = flock(dir->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    if (error == 0 && !has_its_name(home, dir))
        error = -ENOENT;
    if (error != 0)
        rundir_unlock(dir);
    return error;
}

int rundir_new_id(uint64_t *run_id)
{
    do {
        if (getrandom(run_id, sizeof *run_id, 0) != sizeof *run_id)
            return -errno;
        *run_id &= (UINT64_C(1) << RUN_ID_BITS) - 1;
    } while (*run_id == 0);
    return 0;
}

/* Makes a draft and locks it. -ENOENT or -EWOULDBLOCK when somebody who clears up has taken it, before it was
 * locked, for that of a dead maker. */
static int try_create(const struct home *home, const struct rundir_entry *entry, struct rundir *dir)
{
    char name[RUNDIR_NAME_SIZE];
    entry_name(name, entry);
    if (mkdirat(home->fd, name, 0711) < 0)
        return errno == ENOENT ? -ESTALE : -errno; /* the home has gone */
    if (fchmodat(home->fd, name, 0711, 0) < 0)     /* the umask may have denied some of it */
        return -errno;
    return rundir_lock(home, entry, dir);
}

int rundir_create(const struct home *home, struct rundir *dir)
{
    struct rundir_entry entry = {.draft = true};
    int error;
    do {
        dir->fd = -1;
        error = rundir_new_id(&entry.run_id);
        if (error == 0)
            error = try_create(home, &entry, dir);
    } while (error == -EEXIST || error == -EWOULDBLOCK || error == -ENOENT);
    return error == -ESTALE ? -ENOENT : error;
}

int rundir_rename(const struct home *home, struct rundir *dir, uint64_t run_id)
{
    char from[RUNDIR_NAME_SIZE], to[RUNDIR_NAME_SIZE];
    entry_name(from, &dir->entry);
    rundir_name(to, run_id);
    if (renameat(home->fd, from, home->fd, to) < 0)
        return -errno;
    dir->entry = (struct rundir_entry){.run_id = run_id};
    return 0;
}

void rundir_unlock(struct rundir *dir)
{
    if (dir->fd >= 0)
        lock_release(dir->fd);
    dir->fd = -1;
}

static void remove_files(int fd)
{
    union {
        struct dirent64 entry;
        char bytes[MANY_BYTES];
    } buffer;
    ssize_t got;
    while ((got = getdents64(fd, (void *)&buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            at += entry->d_reclen;
            unlinkat(fd, entry->d_name, 0); /* not "." and "..", which are directories */
        }
}

void rundir_remove(const struct home *home, struct rundir *dir)
{
    char name[RUNDIR_NAME_SIZE];
    if (dir->fd < 0)
        return;
    entry_name(name, &dir->entry);
    remove_files(dir->fd);
    unlinkat(home->fd, name, AT_REMOVEDIR);
    rundir_unlock(dir);
}
