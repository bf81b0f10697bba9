#include "trap/views.h"

#include "base/environment.h"
#include "error.h"
#include "run/compact.h"
#include "trap/refill.h"
#include "trap/tell.h"
#include "trap/threads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* A run that was made inside of this one is joined for its programs, which cannot do that themselves, and let
 * go when it has no process any more. */
struct joined {
    struct joined *next;
    char secret[SECRET_SIZE]; /* empty: of no run, and to be used again */
    int witness;              /* pidfd of one of the run's processes */
    char **environment;
    size_t environment_size; /* of its memory; 0: it is this process's */
    struct view view;
    struct map maps[VIEW_MAPS];
};

static struct joined own, *inner;
static int witnesses = -1; /* epoll(7) of the inner runs' */

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
    joined->view.tell = trap_tell;
    return error;
}

bool views_join(struct problem *problem)
{
    const char *run = environment_get_nonempty(environ, "PORTSHIM_RUN");
    const char *text = environment_get_nonempty(environ, COMPACT_VARIABLE);
    int error = run != NULL && text != NULL ? join(&own, run, text) : PORTMAP_ENORUN;
    own.environment = environ;
    if (error != 0)
        problem_of(problem, run != NULL ? run : "the run", portmap_strerror(error), "start a new run");
    return error == 0;
}

struct view *views_own(void)
{
    return &own.view;
}

char *const *views_environment(const struct view *view)
{
    return ((const struct joined *)(const void *)((const char *)view - offsetof(struct joined, view)))
        ->environment;
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

/* The environment of a process that was asked about last, as exec has laid it out. */
static char environment[256 * 1024];
static size_t environment_size;

/* What the environment of a process says of its run. False when it names none. */
static bool read_run(pid_t process, const char **run, const char **text)
{
    char path[40];
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)process);
    text_str(&t, "/environ");
    int size = text_read_file(path, environment, sizeof environment);
    environment_size = size > 0 ? (size_t)size : 0;
    *run = find_variable(environment, environment_size, "PORTSHIM_RUN");
    *text = find_variable(environment, environment_size, COMPACT_VARIABLE);
    return *run != NULL && *text != NULL;
}

/* Keeps that environment for the run: by it, late ports are leased. */
static bool keep_environment(struct joined *joined)
{
    size_t count = 0;
    for (size_t at = 0; at < environment_size; at += strlen(environment + at) + 1)
        count++;
    size_t words = (count + 1) * sizeof(char *), size = words + environment_size + 1;
    char **copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED)
        return false;
    char *at = memcpy((char *)copy + words, environment, environment_size);
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        copy[i] = at;
    joined->environment = copy;
    joined->environment_size = size;
    return true;
}

/* Without a witness, the run stays joined as long as this supervisor lives. */
static void watch(struct joined *joined, pid_t process)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (witnesses < 0)
        witnesses = epoll_create1(EPOLL_CLOEXEC);
    joined->witness = (int)syscall(SYS_pidfd_open, process, 0);
    if (joined->witness >= 0)
        epoll_ctl(witnesses, EPOLL_CTL_ADD, joined->witness, &event);
}

static struct joined *room_for_run(void)
{
    struct joined *joined = inner;
    while (joined != NULL && *joined->secret != '\0')
        joined = joined->next;
    if (joined != NULL)
        return joined;
    joined = mmap(NULL, sizeof *joined, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (joined == MAP_FAILED)
        return NULL;
    joined->next = inner;
    return inner = joined;
}

/* A call that still waits may use the view: then it rewrites nothing. */
static void let_go(struct joined *joined)
{
    struct joined *next = joined->next;
    for (unsigned n = 0; n < VIEW_MAPS && joined->maps[n].head != NULL; n++)
        files_close(&joined->maps[n]);
    if (joined->environment_size > 0)
        munmap(joined->environment, joined->environment_size);
    madvise(joined, sizeof *joined, MADV_DONTNEED); /* all of it is 0 */
    joined->next = next;
}

static struct view *join_inner(pid_t thread, const char *run, const char *text)
{
    struct compact compact;
    if (!compact_read_head(text, &compact) || strcmp(compact.secret, own.secret) == 0)
        return &own.view;
    for (struct joined *joined = inner; joined != NULL; joined = joined->next)
        if (strcmp(joined->secret, compact.secret) == 0)
            return &joined->view;
    struct joined *joined = room_for_run();
    if (joined == NULL)
        return &own.view;
    if (join(joined, run, text) != 0 || !may_serve(joined, thread) || !keep_environment(joined)) {
        let_go(joined);
        return &own.view;
    }
    const struct thread *caller = threads_find(thread);
    watch(joined, caller != NULL && caller->group != 0 ? caller->group : thread);
    return &joined->view;
}

struct view *views_of(pid_t thread)
{
    const char *run, *text;
    return read_run(thread, &run, &text) ? join_inner(thread, run, text) : &own.view;
}

const char *views_variable(pid_t thread, const char *name)
{
    const char *run, *text;
    read_run(thread, &run, &text);
    return find_variable(environment, environment_size, name);
}

int views_descriptor(void)
{
    return witnesses;
}

static bool has_ended(int process)
{
    struct pollfd event = {.fd = process, .events = POLLIN};
    return process >= 0 && poll(&event, 1, 0) == 1;
}

/* A process of the run: the first that /proc lists. 0 when there is none. */
static pid_t find_process(const struct joined *joined)
{
    pid_t found = 0;
    struct compact compact;
    const char *run, *text;
    struct dirent *entry;
    DIR *processes = opendir("/proc");
    while (processes != NULL && found == 0 && (entry = readdir(processes)) != NULL) {
        pid_t process = (pid_t)strtol(entry->d_name, NULL, 10);
        if (process > 0 && read_run(process, &run, &text) && compact_read_head(text, &compact) &&
            strcmp(compact.secret, joined->secret) == 0)
            found = process;
    }
    if (processes != NULL)
        closedir(processes);
    return found;
}

struct view *views_ended(void)
{
    for (struct joined *joined = inner; joined != NULL; joined = joined->next) {
        if (*joined->secret == '\0' || !has_ended(joined->witness))
            continue;
        close(joined->witness);
        pid_t process = find_process(joined);
        if (process == 0) {
            let_go(joined);
            return &joined->view;
        }
        watch(joined, process);
    }
    return NULL;
}
