#include "calls/actions.h"

#include "process/attach.h"
#include "process/borrow.h"
#include "process/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

enum kind { CLOSE, DUP2, OPEN, CHDIR, FCHDIR, CLOSE_FROM, SET_GROUP, UNKNOWN_KIND };

struct action {
    int kind;
    union {
        int fd; /* CLOSE, FCHDIR, CLOSE_FROM, SET_GROUP */
        struct {
            int from, to;
        } dup2;
        struct {
            int fd;
            const char *path;
            int flags;
            mode_t mode;
        } open;
        const char *directory; /* CHDIR */
    };
};

/* NONE until the program adds an action that changes the directory; then whether such actions lie as
 * expected. */
static _Atomic enum { NONE, EXPECTED, STRANGE } layout;

static const struct action *list_of(const posix_spawn_file_actions_t *actions)
{
    return (const void *)actions->__actions;
}

static bool ends_in(const posix_spawn_file_actions_t *actions, enum kind kind, const char *directory, int fd)
{
    const struct action *last = list_of(actions) + actions->__used - 1;
    if (actions->__used <= 0 || !memory_is_readable(last, sizeof *last) || last->kind != (int)kind)
        return false;
    if (kind == FCHDIR)
        return last->fd == fd;
    size_t size = strlen(directory) + 1;
    return memory_is_readable(last->directory, size) && memcmp(last->directory, directory, size) == 0;
}

static int added(int error, const posix_spawn_file_actions_t *actions, enum kind kind, const char *directory,
                 int fd)
{
    if (error == 0 && !ends_in(actions, kind, directory, fd))
        atomic_store(&layout, STRANGE);
    else if (error == 0 && atomic_load(&layout) == NONE)
        atomic_store(&layout, EXPECTED);
    return error;
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *restrict actions,
                                         const char *restrict path)
{
    const struct next *libc = next();
    int error = BEHIND(libc, posix_spawn_file_actions_addchdir_np) != NULL
                    ? BEHIND(libc, posix_spawn_file_actions_addchdir_np)(actions, path)
                    : ENOSYS;
    return added(error, actions, CHDIR, path, -1);
}

int posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *actions, int fd)
{
    const struct next *libc = next();
    int error = BEHIND(libc, posix_spawn_file_actions_addfchdir_np) != NULL
                    ? BEHIND(libc, posix_spawn_file_actions_addfchdir_np)(actions, fd)
                    : ENOSYS;
    return added(error, actions, FCHDIR, NULL, fd);
}

/* The names of the same two in POSIX.1-2024. */
int posix_spawn_file_actions_addchdir(posix_spawn_file_actions_t *restrict actions, const char *restrict path)
{
    return posix_spawn_file_actions_addchdir_np(actions, path);
}

int posix_spawn_file_actions_addfchdir(posix_spawn_file_actions_t *actions, int fd)
{
    return posix_spawn_file_actions_addfchdir_np(actions, fd);
}

/* Puts a directory before the path, which lies at the end of its memory while it grows. */
static void prepend(struct place *place, const char *directory)
{
    size_t length = strlen(directory), room = PATH_MAX - place->length;
    if (length + 1 > room) {
        place->is_hidden = true;
        return;
    }
    place->length += length + 1;
    char *first = place->path + PATH_MAX - place->length;
    memcpy(first, directory, length + 1);
    first[length] = '/'; /* before what is there already */
}

/*
 * Finds the directory that the actions leave the process in. The last change of directory decides if its path
 * is absolute. If the path is relative, the changes before it count too; if it is a descriptor, so do the
 * actions that made the descriptor. So the list is read from its end.
 */
static void read_backwards(struct place *place, const struct action *list, int count)
{
    int fd = -1; /* of the directory in question; -1 while it is the working directory */
    for (int i = count - 1; i >= 0 && !place->is_hidden; i--) {
        const struct action *action = &list[i];
        const char *directory = NULL;
        if (fd < 0 && action->kind == CHDIR)
            directory = action->directory;
        else if (fd < 0 && action->kind == FCHDIR)
            fd = action->fd;
        else if (fd >= 0 && action->kind == OPEN && action->open.fd == fd)
            directory = action->open.path;
        else if (fd >= 0 && action->kind == DUP2 && action->dup2.to == fd)
            fd = action->dup2.from;
        place->is_hidden = action->kind < 0 || action->kind >= UNKNOWN_KIND;
        if (directory == NULL)
            continue;
        fd = -1;
        prepend(place, directory);
        if (*directory == '/')
            break;
    }
    place->dirfd = fd >= 0 ? fd : AT_FDCWD;
    memmove(place->path, place->path + PATH_MAX - place->length, place->length);
}

struct place place_after(const posix_spawn_file_actions_t *actions)
{
    struct place place = {.dirfd = AT_FDCWD};
    if (actions == NULL || atomic_load(&layout) == NONE || !memory_is_readable(actions, sizeof *actions) ||
        actions->__used <= 0)
        return place;
    const struct action *list = list_of(actions);
    size_t count = (size_t)actions->__used;
    place.is_hidden = atomic_load(&layout) == STRANGE || !memory_is_readable(list, count * sizeof *list) ||
                      (place.path = borrow(PATH_MAX)) == NULL;
    if (!place.is_hidden)
        read_backwards(&place, list, (int)count);
    return place;
}

void place_leave(const struct place *place)
{
    borrow_return(place->path);
}
