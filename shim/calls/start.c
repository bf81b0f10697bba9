#include "calls/start.h"

#include "base/environment.h"
#include "calls/actions.h"
#include "process/attach.h"
#include "process/filter.h"
#include "process/memory.h"
#include "program/reach.h"
#include "program/search.h"
#include "run/sighting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Whether to judge programs at all. Without a map there is no place to note anything. Judging takes system
 * calls that the program's own seccomp filter may forbid, so under one only a strict run is worth them. */
static bool judges(void)
{
    const struct map *map = own_view.map[0];
    return map != NULL && (map->head->strict || !filter_is_installed());
}

/* Whether execve(2) will refuse the file: then nothing is started that could be noted. */
static bool will_be_refused(const struct reach *reach)
{
    return faccessat(reach->dirfd, reach->path, X_OK, AT_EACCESS | reach->flags) < 0 && errno == EACCES;
}

/* Whether the program may be started; notes one that the library does not reach. A path of NULL, which
 * place_path() could not tell, may be any program. */
static bool judge(int dirfd, const char *path, int flags, struct place *place)
{
    struct map *map = own_view.map[0];
    struct reach reach;
    /* What was noted may be wrong: a process of the run that became another user can write the notes. */
    bool believes = !map->head->strict;
    reach_judge(&reach, dirfd, path, flags,
                &(struct reach_asker){place, believes ? sighting_knows : NULL, map});
    if (reach.path == NULL)
        return !map->head->strict;
    sighting_remember(map, &reach);
    if (reach_obstacle(reach.kind, reach.is_privileged) == NULL || will_be_refused(&reach))
        return true;
    /* What is started in this run is started in the runs around it as well. */
    for (unsigned i = 0; own_view.map[i] != NULL; i++)
        sighting_started(own_view.map[i], &reach);
    return !map->head->strict;
}

static bool judge_in(struct place *place, const char *path)
{
    return judge(place->dirfd, place_path(place, path), 0, place);
}

bool start_allowed(int dirfd, const char *path, int flags)
{
    struct place here = {.dirfd = AT_FDCWD};
    int saved = errno;
    view_note_exec(&own_view);
    if (!judges() || !memory_is_readable(path, 1))
        return true;
    flags &= AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    if (*path == '\0' && (flags & AT_EMPTY_PATH) == 0)
        return true;
    bool good = judge(dirfd, path, flags, &here);
    errno = good ? saved : EPERM;
    return good;
}

/* 0; -EPERM when the program may not be started; or why none was found, -ENAMETOOLONG when path[size] is too
 * small. */
static int judge_search(struct place *place, const char *file, char *path, size_t size)
{
    int error = search_list(place, environment_get(environ, "PATH"), file, path, size);
    return error == 0 && !judge_in(place, path) ? -EPERM : error;
}

/* The same with room for any path. Not inlined: so large a buffer is on the stack only when it is needed. */
__attribute__((noinline)) static int judge_long_search(struct place *place, const char *file)
{
    char path[PATH_MAX];
    return judge_search(place, file, path, sizeof path);
}

static bool judge_by_path(struct place *place, const char *file)
{
    char path[1024];
    int error = judge_search(place, file, path, sizeof path);
    if (error == -ENAMETOOLONG)
        error = judge_long_search(place, file);
    return error != -EPERM;
}

bool start_allowed_in_path(const char *file)
{
    struct place here = {.dirfd = AT_FDCWD};
    int saved = errno;
    view_note_exec(&own_view);
    if (!judges() || !memory_is_readable(file, 1))
        return true;
    if (strchr(file, '/') != NULL)
        return start_allowed(AT_FDCWD, file, 0);
    bool good = judge_by_path(&here, file);
    errno = good ? saved : EPERM;
    return good;
}

/* Whether the kernel can read the path, all of it: then we can, too. */
static bool is_path(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0 || (errno != EFAULT && errno != ENAMETOOLONG);
}

bool start_allowed_spawn(const posix_spawn_file_actions_t *actions, const char *path, bool search)
{
    bool good = true;
    int saved = errno;
    view_note_exec(&own_view);
    if (judges() && memory_is_readable(path, 1) && is_path(path) && *path != '\0') {
        struct place place = place_after(actions);
        search = search && strchr(path, '/') == NULL;
        good = search ? judge_by_path(&place, path) : judge_in(&place, path);
        place_leave(&place);
    }
    errno = saved;
    return good;
}
