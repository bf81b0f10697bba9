#include "trap/views.h"

#include "base/environment.h"
#include "error.h"
#include "run/compact.h"
#include "trap/refill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { RUNS = 16 };

struct joined {
    char secret[SECRET_SIZE];
    struct view view;
    struct map maps[VIEW_MAPS];
};

static struct joined own, *inner[RUNS];

/* The rules ask for what is known of a view from its beginning. */
static void settled(void)
{
}

static void add_outer(struct joined *joined, const char *text)
{
    char head[PATH_MAX];
    int judge;
    for (unsigned n = 0; n + 1 < VIEW_MAPS && compact_outer(text, n, head); n++)
        if (files_join(&joined->maps[n + 1], head, &judge) != 0 ||
            !view_add_map(&joined->view, &joined->maps[n + 1]))
            return;
}

/* 0, or an error of files_join(). Where no file of the run is in reach, what the text says is enough. */
static int join(struct joined *joined, const char *run, const char *text)
{
    struct compact compact;
    char head[PATH_MAX];
    struct text t = text_in(head, sizeof head);
    int judge;
    if (!compact_read_head(text, &compact))
        return PORTMAP_ESYNTAX;
    memcpy(joined->secret, compact.secret, sizeof joined->secret);
    text_str(&t, run);
    text_char(&t, '/');
    text_str(&t, compact.secret);
    int error = t.cut ? -ENAMETOOLONG : files_join(&joined->maps[0], head, &judge);
    if (error == 0) {
        view_add_map(&joined->view, &joined->maps[0]);
        add_outer(joined, text);
    } else if (error != PORTMAP_EENDED && error != PORTMAP_ETORN && error != PORTMAP_EUNDECIDED) {
        joined->view.reveal = compact.reveal;
        error = compact_read(text, view_assign, &joined->view) ? 0 : PORTMAP_ESYNTAX;
    }
    /* Nobody has looked which kinds of sockets the program has: each is asked. */
    atomic_store(&joined->view.mixed, true);
    atomic_store(&joined->view.settled, true);
    joined->view.settle = settled;
    joined->view.refill = trap_refill;
    return error;
}

bool views_join(struct problem *problem)
{
    const char *run = environment_get_nonempty(environ, "PORTSHIM_RUN");
    const char *text = environment_get_nonempty(environ, COMPACT_VARIABLE);
    int error = run != NULL && text != NULL ? join(&own, run, text) : PORTMAP_ENORUN;
    if (error != 0)
        problem_of(problem, run != NULL ? run : "the run", portmap_strerror(error), "start a new run");
    return error == 0;
}

struct view *views_own(void)
{
    return &own.view;
}

static const char *find_variable(const char *environment, size_t size, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = environment, *end = environment + size; at < end; at += strlen(at) + 1)
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return at + len + 1;
    return NULL;
}

static bool may_serve(const struct joined *joined, pid_t process)
{
    char path[32];
    struct stat owner;
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)process);
    const struct map_head *head = joined->maps[0].head, *of_own = own.maps[0].head;
    if (head == NULL)
        return true;
    return (stat(path, &owner) == 0 && owner.st_uid == head->uid) ||
           (of_own != NULL && head->uid == of_own->uid);
}

static struct view *join_inner(pid_t process, const char *run, const char *text)
{
    struct compact compact;
    unsigned i = 0;
    if (!compact_read_head(text, &compact) || strcmp(compact.secret, own.secret) == 0)
        return &own.view;
    for (; i < RUNS && inner[i] != NULL; i++)
        if (strcmp(inner[i]->secret, compact.secret) == 0)
            return &inner[i]->view;
    struct joined *joined =
        i < RUNS ? mmap(NULL, sizeof *joined, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                 : MAP_FAILED;
    if (joined == MAP_FAILED)
        return &own.view;
    if (join(joined, run, text) == 0 && may_serve(joined, process)) {
        inner[i] = joined;
        return &joined->view;
    }
    for (unsigned n = 0; joined->maps[n].head != NULL; n++)
        files_close(&joined->maps[n]);
    munmap(joined, sizeof *joined);
    return &own.view;
}

struct view *views_of(pid_t process)
{
    static char environment[256 * 1024];
    char path[40];
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)process);
    text_str(&t, "/environ");
    int size = text_read_file(path, environment, sizeof environment);
    const char *run = size > 0 ? find_variable(environment, (size_t)size, "PORTSHIM_RUN") : NULL;
    const char *text = size > 0 ? find_variable(environment, (size_t)size, COMPACT_VARIABLE) : NULL;
    return run != NULL && text != NULL ? join_inner(process, run, text) : &own.view;
}
