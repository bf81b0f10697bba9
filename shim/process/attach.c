#include "process/attach.h"

#include "base/environment.h"
#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "process/by_hand.h"
#include "process/carry.h"
#include "process/copies.h"
#include "process/die.h"
#include "process/inherited.h"
#include "process/loaded.h"
#include "process/memory.h"
#include "process/once.h"
#include "process/refill.h"
#include "rules/local.h"
#include "run/compact.h"
#include "run/map.h"
#include "run/sighting.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct view own_view;

_Atomic uint32_t attach_done;
bool attach_keeps_deepbind;

/* Adds the maps of the runs around this one, up to one that has ended: only its late assignments are lost. */
static void add_outer(const struct map *inner)
{
    const char *outer;
    struct map *map;
    while ((outer = map_about(inner, MAP_ABOUT_OUTER, 0)) != NULL && map_attach(&map, outer) == 0) {
        if (!view_add_map(&own_view, map)) {
            if (atomic_load(&map->grows)) /* its late assignments would be missed; inner runs have copied the
                                             others */
                die(outer, "too many runs are inside of this one, which has late placeholders",
                    "nest fewer runs");
            map_detach(map);
            return;
        }
        inner = map;
    }
}

static void use_map(struct map *map, const char *run_path)
{
    view_add_map(&own_view, map);
    add_outer(map);
    if (!carry_map(run_path, map))
        die(run_path, "too many placeholders for one environment variable", "list fewer, or use all");
    view_log(&own_view, MAP_EVENT_ATTACH, 0, 0, 0);
}

/*
 * Whether the run's directory is missing from the directory that held it: then the run is over, and its ports
 * may be others' by now. After chroot, or in another mount namespace, the latter directory is missing too.
 */
static bool has_ended(const char *run_path)
{
    char runs[PATH_MAX];
    struct text t = text_in(runs, sizeof runs);
    text_bytes(&t, run_path, (size_t)(strrchr(run_path, '/') - run_path));
    return access(run_path, F_OK) < 0 && errno == ENOENT && access(runs, R_OK | X_OK) == 0;
}

static void join(const char *run_path, const char *compact)
{
    static const char remedy[] = "start a new run, or unset PORTSHIM_RUN and LD_PRELOAD";
    struct map *map;
    if (*run_path != '/')
        die(run_path, "PORTSHIM_RUN is not an absolute path", remedy);
    int error = map_attach(&map, run_path);
    if (error == 0)
        use_map(map, run_path);
    else if (error == PORTMAP_EENDED || error == PORTMAP_ETORN || compact == NULL || has_ended(run_path))
        die(run_path, error == -ENOENT ? portmap_strerror(PORTMAP_EENDED) : portmap_strerror(error), remedy);
    else if (!compact_read(compact, view_assign, &own_view, &own_view.reveal) ||
             !carry_run(run_path, compact))
        die(COMPACT_VARIABLE, portmap_strerror(PORTMAP_ESYNTAX), "leave this private variable alone");
}

static void join_by_hand(bool again)
{
    const struct run *run = by_hand(environment_get_nonempty(environ, "PORTSHIM_PORTS"),
                                    environment_get_nonempty(environ, "PORTSHIM_MAP_FILE"), again);
    use_map(run->map, run->path);
    by_hand_put_in_environment(carry_run_variable());
}

static void describe_process(void)
{
    struct stat st;
    own_view.pid = getpid();
    own_view.refill = refill;
    own_view.program.name = program_invocation_short_name;
    if (kernel_stat(AT_FDCWD, "/proc/self/exe", 0, &st) == 0) {
        own_view.program.device = sighting_device(&st);
        own_view.program.inode = st.st_ino;
    }
}

static void read_deepbind(void)
{
    const char *setting = environment_get_nonempty(environ, "PORTSHIM_DEEPBIND");
    attach_keeps_deepbind = setting != NULL && strcmp(setting, "keep") == 0;
    if (setting != NULL && !attach_keeps_deepbind)
        die("PORTSHIM_DEEPBIND", "the one value it can have is keep", "set it to that, or unset it");
}

static void attach_here(bool again)
{
    if (again)
        memset(&own_view, 0, sizeof own_view);
    const char *run_path = environment_get_nonempty(environ, "PORTSHIM_RUN");
    const char *on = environment_get(environ, "PORTSHIM");
    bool wanted = on == NULL || strcmp(on, "0") != 0;
    if (wanted && !environment_is_anothers() && !loaded_second_copy()) {
        describe_process();
        if (!carry_init())
            die("libportshim.so", "its path has a space or colon, which LD_PRELOAD cannot carry", "move it");
        if (run_path != NULL)
            join(run_path, environment_get_nonempty(environ, COMPACT_VARIABLE));
        else
            join_by_hand(again);
        read_deepbind();
        local_init();
        inherited_look(&own_view);
        copies_tell();
    }
}

void attach(void)
{
    int saved = errno;
    /* These take the dynamic linker's lock. A thread in dlopen(3) may hold it while it waits for once(). */
    next_resolve();
    loaded_self();
    memory_init();
    carry_find_library();
    once(&attach_done, attach_here);
    errno = saved;
}

__attribute__((constructor)) static void construct(void)
{
    next();
}
