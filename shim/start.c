#include "start.h"

#include "actions.h"
#include "attach.h"
#include "elf.h"
#include "environment.h"
#include "filter.h"
#include "kernel.h"
#include "memory.h"
#include "sighting.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

/* Without a map nobody can be told. */
static struct map *map_to_note_in(void)
{
    return own_view.map[0];
}

static bool is_out_of_reach(uint32_t kind)
{
    kind &= ~(uint32_t)PROGRAM_PRIVILEGED;
    return kind == PROGRAM_STATIC || kind == PROGRAM_GO || kind == PROGRAM_WRONG_CLASS;
}

/* By the file's mode; a script's is of no account, nor are both for who has the rights anyway, or will never
 * be given them. */
static bool changes_user(const struct stat *st)
{
    bool says = ((st->st_mode & S_ISUID) != 0 && st->st_uid != geteuid()) ||
                ((st->st_mode & SET_GROUP_ID) == SET_GROUP_ID && st->st_gid != getegid());
    return says && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

/* What a program is, for the map: PROGRAM_PRIVILEGED says here that it has capabilities. */
static uint32_t look_at(int fd, char *interpreter, size_t size)
{
    uint32_t kind = (uint32_t)elf_judge(fd, interpreter, size);
    if (*interpreter == '\0' && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        kind |= PROGRAM_PRIVILEGED;
    return kind;
}

static uint32_t look_into(int dirfd, const char *path, char *interpreter, size_t size)
{
    char through_proc[32];
    uint32_t kind = PROGRAM_UNKNOWN;
    if (*path == '\0') {
        kind = look_at(dirfd, interpreter, size);
        if (kind != PROGRAM_UNKNOWN || *interpreter != '\0')
            return kind;
        struct text t = text_in(through_proc, sizeof through_proc); /* it may be open with O_PATH */
        text_str(&t, "/proc/self/fd/");
        text_uint(&t, (unsigned)dirfd);
        path = through_proc;
    }
    int fd = kernel_open(dirfd, path);
    if (fd >= 0) {
        kind = look_at(fd, interpreter, size);
        kernel_close(fd);
    }
    return kind;
}

/* Something that execve(2) will refuse is not started, whatever it is. */
static bool will_be_refused(int dirfd, const char *path, int flags)
{
    return faccessat(dirfd, path, X_OK, AT_EACCESS | flags) < 0 && errno == EACCES;
}

/* Also those of the runs around this one: whatever is started in here is started in them. */
static void note_exec(struct map *map, const struct stat *st, const char *path, uint32_t kind)
{
    unsigned program = sighting_program(map, sighting_device(st), st->st_ino, path, kind);
    if (program < MAP_PROGRAMS)
        atomic_fetch_or(&map->programs[program].kind, kind & PROGRAM_PRIVILEGED);
    sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .program = program});
}

/*
 * Whether a program may be started; a script's interpreter, which is to be judged then, is in
 * interpreter[size]. A path is only empty where the flags have AT_EMPTY_PATH.
 */
static bool judge(int dirfd, const char *path, int flags, char *interpreter, size_t size)
{
    struct map *map = map_to_note_in();
    struct stat st;
    *interpreter = '\0';
    if (fstatat(dirfd, path, &st, flags) < 0 || !S_ISREG(st.st_mode))
        return true;
    uint64_t device = sighting_device(&st);
    unsigned program = sighting_known_program(map, device, st.st_ino);
    uint32_t kind = program < MAP_PROGRAMS ? atomic_load(&map->programs[program].kind)
                                           : look_into(dirfd, path, interpreter, size);
    if (*interpreter != '\0')
        return true;
    bool privileged = changes_user(&st) || ((kind & PROGRAM_PRIVILEGED) != 0 && geteuid() != 0);
    if (program == MAP_PROGRAMS && (kind != PROGRAM_UNKNOWN || privileged))
        sighting_program(map, device, st.st_ino, path, kind); /* the next exec finds it */
    if ((!privileged && !is_out_of_reach(kind)) || will_be_refused(dirfd, path, flags))
        return true;
    for (unsigned i = 0; own_view.map[i] != NULL; i++)
        note_exec(own_view.map[i], &st, path, kind | (privileged ? PROGRAM_PRIVILEGED : 0));
    return !map->strict;
}

/* The same for a path as the new program will find it. What cannot be told from here may be anything. */
static bool judge_from(struct place *place, const char *path, char *interpreter, size_t size)
{
    const char *found = place->is_hidden && *path != '/' ? NULL : place_path(place, path);
    *interpreter = '\0';
    return found != NULL ? judge(place->dirfd, found, 0, interpreter, size) : !map_to_note_in()->strict;
}

enum { INTERPRETER_SIZE = 256 }; /* a longer one goes unjudged */

/* The interpreters of a script, which may be scripts. */
static bool judge_interpreters(struct place *place, char *interpreter)
{
    char next[INTERPRETER_SIZE];
    bool good = true;
    for (unsigned depth = 0; good && *interpreter != '\0' && depth < SCRIPT_DEPTH; depth++) {
        memcpy(next, interpreter, sizeof next);
        good = judge_from(place, next, interpreter, sizeof next);
    }
    return good;
}

static bool judge_program(struct place *place, const char *path)
{
    char interpreter[INTERPRETER_SIZE];
    return judge_from(place, path, interpreter, sizeof interpreter) && judge_interpreters(place, interpreter);
}

/* Looking at a file takes calls that a filter of the program's own may not allow: only --strict needs it
 * then. */
static bool judges(void)
{
    const struct map *map = map_to_note_in();
    return map != NULL && (map->strict || !filter_is_installed());
}

bool start_allowed(int dirfd, const char *path, int flags)
{
    char interpreter[INTERPRETER_SIZE];
    struct place here = {.dirfd = AT_FDCWD};
    int saved = errno;
    if (!judges() || !memory_is_readable(path, 1))
        return true;
    flags &= AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    if (*path == '\0' && (flags & AT_EMPTY_PATH) == 0)
        return true;
    bool good =
        judge(dirfd, path, flags, interpreter, sizeof interpreter) && judge_interpreters(&here, interpreter);
    errno = good ? saved : EPERM;
    return good;
}

/* What execvp(3) stops at: it goes on in PATH after what it may not execute. */
static bool is_program(struct place *place, const char *path)
{
    struct stat st;
    const char *found = place_path(place, path);
    return found != NULL && fstatat(place->dirfd, found, &st, 0) == 0 && S_ISREG(st.st_mode) &&
           faccessat(place->dirfd, found, X_OK, 0) == 0;
}

/* In a directory of PATH whose name is longer than what is put on every stack: whether the file is a program
 * there, and if so, in *good, whether it may be started. */
__attribute__((noinline)) static bool judge_in_long(struct place *place, const char *directory, size_t len,
                                                    const char *file, bool *good)
{
    char path[PATH_MAX];
    struct text t = text_in(path, sizeof path);
    text_bytes(&t, directory, len);
    text_char(&t, '/');
    text_str(&t, file);
    bool found = !t.cut && is_program(place, path);
    if (found)
        *good = judge_program(place, path);
    return found;
}

static bool judge_search(struct place *place, const char *file)
{
    char path[1024];
    bool good;
    const char *list = environment_get(environ, "PATH");
    for (list = list != NULL ? list : "/bin:/usr/bin";; list++) {
        size_t len = strcspn(list, ":");
        struct text t = text_in(path, sizeof path);
        text_bytes(&t, len == 0 ? "." : list, len == 0 ? 1 : len);
        text_char(&t, '/');
        text_str(&t, file);
        bool is_lost = place->is_hidden && *path != '/';
        if (is_lost || (!t.cut && is_program(place, path)))
            return judge_program(place, path);
        if (t.cut && judge_in_long(place, list, len, file, &good))
            return good;
        list += len;
        if (*list == '\0')
            return true;
    }
}

bool start_allowed_in_path(const char *file)
{
    struct place here = {.dirfd = AT_FDCWD};
    int saved = errno;
    if (!judges() || !memory_is_readable(file, 1))
        return true;
    if (strchr(file, '/') != NULL)
        return start_allowed(AT_FDCWD, file, 0);
    bool good = judge_search(&here, file);
    errno = good ? saved : EPERM;
    return good;
}

/* Whether the kernel would take it: it is to be read here, where it may lie anywhere. */
static bool is_path(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0 || (errno != EFAULT && errno != ENAMETOOLONG);
}

bool start_allowed_spawn(const posix_spawn_file_actions_t *actions, const char *path, bool search)
{
    bool good = true;
    int saved = errno;
    if (!judges() || !memory_is_readable(path, 1) || !is_path(path) || *path == '\0') {
        errno = saved;
        return true;
    }
    struct place place = place_after(actions);
    if (search && strchr(path, '/') == NULL)
        good = judge_search(&place, path);
    else
        good = judge_program(&place, path);
    place_leave(&place);
    errno = saved;
    return good;
}
