#include "calls/start.h"

#include "base/environment.h"
#include "calls/actions.h"
#include "calls/trapped.h"
#include "process/attach.h"
#include "process/filter.h"
#include "process/memory.h"
#include "process/supervised.h"
#include "program/reach.h"
#include "program/search.h"
#include "run/compact.h"
#include "run/sighting.h"
#include "run/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { KNOWN_FLAGS = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW };

/* One call that starts a program. */
struct attempt {
    struct place place; /* where the program will start */
    char *const *argv;
    const struct carried *carried;
    const struct start_spawn *spawn; /* NULL: by exec */
    bool may_trap;                   /* the program is one of the run, and portshim can be told the call */
    struct compact told;             /* what this process knows of its run: read only where it is needed */
};

enum outcome {
    PLAINLY, /* the caller is to start the program */
    STARTED, /* the program was started through portshim */
    ESCAPES, /* neither the library nor the trap would reach the program */
    REFUSED, /* the same, and it must not be started */
};

/* Reads what this process was told of its run; false when it does not know where portshim is. */
static bool knows_portshim(struct attempt *attempt)
{
    return carry_run_variable() != NULL && compact_read_head(carry_compact(), &attempt->told) &&
           attempt->told.trap.command != NULL;
}

/*
 * Whether to judge programs at all: where something can be noted of them, or they can be started under a
 * trap. Judging takes system calls that the program's own seccomp filter may forbid, so under one only a
 * strict run is worth them.
 */
static bool judges(struct attempt *attempt)
{
    const struct map *map = own_view.map[0];
    if (map != NULL)
        return map->head->strict || !filter_is_installed();
    return !filter_is_installed() && knows_portshim(attempt) && !attempt->told.trap.is_off;
}

static bool is_strict(const struct attempt *attempt)
{
    const struct map *map = own_view.map[0];
    return map != NULL ? map->head->strict : attempt->told.strict;
}

/* Whether execve(2) will refuse the file: then nothing is started that could be noted. */
static bool will_be_refused(const struct reach *reach)
{
    return faccessat(reach->dirfd, reach->path, X_OK, AT_EACCESS | reach->flags) < 0 && errno == EACCES;
}

/* Whether the supervisor of this process will serve the program, too. */
static bool is_served(const struct attempt *attempt, const struct reach *reach)
{
    return attempt->may_trap && !attempt->carried->other_run && reach_wants_trap(reach) &&
           !reach_refuses_library(reach) && supervised();
}

/* Whether the program is to be started through portshim. That also takes the library out of LD_PRELOAD for
 * programs that would not start with it, where there is to be no trap. */
static bool wants_portshim(struct attempt *attempt, const struct reach *reach)
{
    if (!attempt->may_trap || !reach_wants_trap(reach) || !knows_portshim(attempt) || !reach_runs_here(reach))
        return false;
    return !attempt->told.trap.is_off || (reach_refuses_library(reach) && !is_strict(attempt));
}

/* What is started in this run is started in the runs around it as well. */
static void note_trapped(const struct reach *reach)
{
    for (unsigned i = 0; own_view.map[i] != NULL; i++)
        sighting_trapped(own_view.map[i], reach);
}

/* The innermost run is told (run/voice.h), and with it those that have the same stderr. */
static void note_untrapped(const struct reach *reach, enum untrapped reason)
{
    bool is_told = false;
    for (unsigned i = 0; own_view.map[i] != NULL; i++) {
        const struct map *map = own_view.map[i];
        _Atomic uint64_t *word = sighting_untrapped(own_view.map[i], reach, reason);
        if (i == 0 && word != NULL && own_view.tell != NULL)
            is_told = own_view.tell(&own_view, map, word);
        else if (is_told)
            voice_count_told(map, word, SPEAKER_SELF);
    }
}

/* Starts a judged program, which the library does not reach, through portshim if that is called for and
 * possible. *reason is why it ESCAPES. The other arguments are those of judge(). */
static enum outcome start(struct attempt *attempt, int dirfd, const char *path, int flags,
                          const struct reach *reach, enum untrapped *reason)
{
    bool wants = wants_portshim(attempt, reach);
    const struct trapped program = {.trap = &attempt->told.trap,
                                    .dirfd = attempt->spawn != NULL ? AT_FDCWD : dirfd,
                                    .path = path,
                                    .flags = flags,
                                    .argv = attempt->argv,
                                    .environment = attempt->carried->environment,
                                    .is_script = *reach->interpreter != '\0',
                                    .spawn = attempt->spawn};
    *reason = attempt->told.trap.is_off ? UNTRAPPED_OFF : wants ? UNTRAPPED_COMMAND : UNTRAPPED_UNSAID;
    if (wants && trapped_will_fail(&program, dirfd, place_path(&attempt->place, path)))
        return PLAINLY;
    return wants && trapped_start(&program) ? STARTED : ESCAPES;
}

/* The arguments are execveat(2)'s; a relative path is looked up in the attempt's place. */
static enum outcome judge(struct attempt *attempt, int dirfd, const char *path, int flags)
{
    struct map *map = own_view.map[0];
    struct reach reach;
    /* What was noted may be wrong: a process of the run that became another user can write the notes. */
    bool believes = map != NULL && !is_strict(attempt);
    reach_judge(&reach, dirfd, place_path(&attempt->place, path), flags,
                &(struct reach_asker){&attempt->place, believes ? sighting_knows : NULL, map});
    if (reach.path == NULL) /* it cannot be told which program that is */
        return is_strict(attempt) ? REFUSED : PLAINLY;
    if (map != NULL)
        sighting_remember(map, &reach);
    if (reach_obstacle(reach.kind, reach.is_privileged) == NULL || will_be_refused(&reach))
        return PLAINLY;
    if (is_served(attempt, &reach)) {
        note_trapped(&reach);
        return PLAINLY;
    }
    enum untrapped reason;
    enum outcome outcome = start(attempt, dirfd, path, flags, &reach, &reason);
    if (outcome == ESCAPES)
        note_untrapped(&reach, reason);
    return outcome == ESCAPES && is_strict(attempt) ? REFUSED : outcome;
}

/* Looks for the program in PATH, and judges it. -ENAMETOOLONG when path[size] is too small for its path;
 * else 0, with *outcome, which is PLAINLY when there is none: libc will find that out. */
static int judge_search(struct attempt *attempt, const char *file, char *path, size_t size,
                        enum outcome *outcome)
{
    int error = search_list(&attempt->place, environment_get(environ, "PATH"), file, path, size);
    *outcome = error == 0 ? judge(attempt, attempt->place.dirfd, path, 0) : PLAINLY;
    return error == -ENAMETOOLONG ? error : 0;
}

/* The same with room for any path. Not inlined: so large a buffer is on the stack only when it is needed. */
__attribute__((noinline)) static enum outcome judge_long_search(struct attempt *attempt, const char *file)
{
    char path[PATH_MAX];
    enum outcome outcome;
    judge_search(attempt, file, path, sizeof path, &outcome);
    return outcome;
}

static enum outcome judge_by_path(struct attempt *attempt, const char *file)
{
    char path[1024];
    enum outcome outcome;
    if (judge_search(attempt, file, path, sizeof path, &outcome) == 0)
        return outcome;
    return judge_long_search(attempt, file);
}

/* Begins an attempt by exec. False when nothing is to be judged. */
static bool begin(struct attempt *attempt, const char *path, char *const argv[],
                  const struct carried *carried)
{
    *attempt = (struct attempt){
        .place = {.dirfd = AT_FDCWD}, .argv = argv, .carried = carried, .may_trap = !carried->leaves};
    view_note_exec(&own_view);
    return judges(attempt) && memory_is_readable(path, 1);
}

/* The answer of start_exec() to an outcome; `saved` is the errno before. */
static bool answer(enum outcome outcome, int saved)
{
    errno = outcome == REFUSED ? EPERM : saved;
    return outcome != REFUSED;
}

bool start_exec(int dirfd, const char *path, int flags, char *const argv[], const struct carried *carried)
{
    struct attempt attempt;
    int saved = errno;
    if (carried->no_memory)
        return false;
    if (!begin(&attempt, path, argv, carried) || (*path == '\0' && (flags & AT_EMPTY_PATH) == 0) ||
        (flags & AT_EXECVE_CHECK) != 0)
        return true;
    if ((flags & ~KNOWN_FLAGS) != 0)
        attempt.may_trap = false;
    return answer(judge(&attempt, dirfd, path, flags & KNOWN_FLAGS), saved);
}

bool start_exec_in_path(const char *file, char *const argv[], const struct carried *carried)
{
    struct attempt attempt;
    int saved = errno;
    if (carried->no_memory)
        return false;
    if (!begin(&attempt, file, argv, carried))
        return true;
    if (strchr(file, '/') != NULL)
        return answer(judge(&attempt, AT_FDCWD, file, 0), saved);
    return answer(judge_by_path(&attempt, file), saved);
}

/* Whether the kernel can read the path, all of it: then we can, too. */
static bool is_path(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0 || (errno != EFAULT && errno != ENAMETOOLONG);
}

int start_spawn(const struct start_spawn *spawn, const char *path, bool search, const struct carried *carried)
{
    struct attempt attempt = {
        .carried = carried, .argv = spawn->argv, .spawn = spawn, .may_trap = !carried->leaves};
    enum outcome outcome = PLAINLY;
    int saved = errno;
    if (carried->no_memory)
        return ENOMEM;
    view_note_exec(&own_view);
    if (judges(&attempt) && memory_is_readable(path, 1) && is_path(path) && *path != '\0') {
        attempt.place = place_after(spawn->actions);
        search = search && strchr(path, '/') == NULL;
        outcome = search ? judge_by_path(&attempt, path) : judge(&attempt, attempt.place.dirfd, path, 0);
        place_leave(&attempt.place);
    }
    errno = saved;
    return outcome == REFUSED ? EPERM : outcome == STARTED ? 0 : START_PLAINLY;
}
