#include "base/draft.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many processes may write one file at once. A further one takes a number that is its own, by its pid,
 * and nobody looks for that draft when it is killed. */
enum { NUMBERS = 4 };

static int name_draft(char name[static PATH_MAX], const char *file, unsigned number)
{
    struct text t = text_in(name, PATH_MAX);
    text_str(&t, file);
    text_str(&t, ".portshim-");
    text_uint(&t, number);
    return t.cut ? -ENAMETOOLONG : 0;
}

/* Whether the name still leads to the open file. */
static bool is_named(int fd, const char *name)
{
    struct stat open, named;
    return fstat(fd, &open) == 0 && lstat(name, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

static bool is_own_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
           kernel_owner(fd) == kernel_euid();
}

/* Removes a draft that nobody is writing. */
static void remove_left(const char *name)
{
    int fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (is_own_file(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_named(fd, name))
        unlink(name);
    close(fd);
}

/* Makes the file and locks it. -EEXIST also when somebody took it for left, in the moment before it was
 * locked. */
static int make_locked(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    file_let_owner(fd);
    bool taken = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (!taken && is_named(fd, name))
        return fd;
    close(fd);
    return -EEXIST;
}

int draft_open(struct draft *draft, const char *file)
{
    char name[PATH_MAX];
    draft->fd = -EEXIST;
    for (unsigned i = 0; i <= NUMBERS && draft->fd == -EEXIST; i++) {
        draft->number = i < NUMBERS ? i : NUMBERS + (unsigned)getpid();
        int error = name_draft(name, file, draft->number);
        if (error != 0)
            return error;
        draft->fd = make_locked(name);
        if (draft->fd == -EEXIST) {
            remove_left(name);
            draft->fd = make_locked(name);
        }
    }
    return draft->fd < 0 ? draft->fd : 0;
}

/* Some file systems (NFS) tell only when a file is closed that there was no room for it. Closing a copy of
 * the descriptor does that, and keeps the lock. */
static int finish_writing(int fd)
{
    int copy = dup(fd);
    return copy >= 0 && close(copy) < 0 ? -errno : 0;
}

int draft_install(struct draft *draft, const char *file)
{
    char name[PATH_MAX];
    int error = name_draft(name, file, draft->number);
    if (error == 0)
        error = finish_writing(draft->fd);
    if (error == 0 && rename(name, file) < 0)
        error = -errno;
    if (error != 0) {
        draft_drop(draft, file);
        return error;
    }
    close(draft->fd);
    return 0;
}

void draft_drop(struct draft *draft, const char *file)
{
    char name[PATH_MAX];
    if (name_draft(name, file, draft->number) == 0)
        unlink(name);
    close(draft->fd);
}

void draft_clear(const char *file)
{
    char name[PATH_MAX];
    for (unsigned number = 0; number < NUMBERS; number++)
        if (name_draft(name, file, number) == 0)
            remove_left(name);
}
