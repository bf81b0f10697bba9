#include "observe/members.h"

#include "base/kernel.h"
#include "base/text.h"
#include "host/processes.h"
#include "observe/own_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A process as the list of all processes has it, before any was looked into. */
struct passer {
    pid_t pid, parent;
    uint64_t ticks;
};

struct looking {
    struct members *members;
    members_visit *visit;
    void *context;
    struct processes_text *environ, *maps; /* two for each run; one for each */
    struct passer *passers;                /* in ascending order of their pids */
    unsigned count, room;
    int error;
};

/* Makes room for one more in an array that has so many. */
static bool grow(void *array, unsigned count, unsigned *room, size_t size)
{
    if (count < *room)
        return true;
    void *more = reallocarray(*(void **)array, 2 * *room + 64, size);
    if (more == NULL)
        return false;
    *(void **)array = more;
    *room = 2 * *room + 64;
    return true;
}

int members_begin(struct members *members)
{
    struct process_stat line;
    unsigned room = 0;
    if (!process_read_stat(getpid(), &line))
        return -ENOENT;
    for (pid_t pid = getpid(); pid > 0 && process_read_stat(pid, &line); pid = line.parent) {
        if (!grow(&members->ancestors, members->ancestor_count, &room, sizeof *members->ancestors))
            return -ENOMEM;
        members->ancestors[members->ancestor_count++] = pid;
    }
    return 0;
}

int members_add_run(struct members *members, const char *path, const char *secret,
                    const struct map_head *head)
{
    struct members_run *more = reallocarray(members->runs, members->run_count + 1, sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    members->runs = more;
    struct members_run *run = &more[members->run_count];
    *run = (struct members_run){.secret = strdup(secret), .head = head};
    if (run->secret == NULL || asprintf(&run->assignment, "%cPORTSHIM_RUN=%s", '\0', path) < 0) {
        free(run->secret);
        return -ENOMEM;
    }
    members->run_count++;
    return 0;
}

bool members_is_spared(const struct members *members, pid_t pid)
{
    for (unsigned i = 0; i < members->ancestor_count; i++)
        if (members->ancestors[i] == pid)
            return true;
    return false;
}

/* Variables of other names may end in PORTSHIM_RUN, so the '\0' before the name counts. The secret is in the
 * private variable, those of the runs around it included (run/compact.h). */
static bool list_texts(struct looking *looking)
{
    const struct members *m = looking->members;
    looking->environ = calloc(2 * m->run_count + 1, sizeof *looking->environ);
    looking->maps = calloc(m->run_count + 1, sizeof *looking->maps);
    if (looking->environ == NULL || looking->maps == NULL)
        return false;
    for (unsigned i = 0; i < m->run_count; i++) {
        const char *name = m->runs[i].assignment, *secret = m->runs[i].secret;
        looking->environ[i] = (struct processes_text){name, strlen(name + 1) + 2};
        looking->environ[m->run_count + i] = (struct processes_text){secret, strlen(secret)};
        looking->maps[i] = (struct processes_text){secret, strlen(secret)};
    }
    return true;
}

static bool note_passer(pid_t pid, void *context)
{
    struct looking *looking = context;
    struct process_stat line;
    if (!process_read_stat(pid, &line) || !process_is_living(&line))
        return true;
    if (!grow(&looking->passers, looking->count, &looking->room, sizeof *looking->passers)) {
        looking->error = -ENOMEM;
        return false;
    }
    looking->passers[looking->count++] = (struct passer){pid, line.parent, line.ticks};
    return true;
}

static const struct passer *passer_of(const struct looking *looking, pid_t pid)
{
    unsigned from = 0, to = looking->count;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (looking->passers[middle].pid == pid)
            return &looking->passers[middle];
        if (looking->passers[middle].pid < pid)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static struct member *member_of(const struct members *members, pid_t pid)
{
    for (unsigned i = 0; i < members->count; i++)
        if (members->list[i].pid == pid)
            return &members->list[i];
    return NULL;
}

/* Enters a process, over an earlier one that had its pid. */
static struct member *enter(struct members *members, pid_t pid, uint64_t ticks, unsigned run)
{
    struct member *member = member_of(members, pid);
    if (member == NULL && !grow(&members->list, members->count, &members->room, sizeof *members->list))
        return NULL;
    if (member == NULL)
        member = &members->list[members->count++];
    *member =
        (struct member){.pid = pid, .ticks = ticks, .run = run, .spared = members_is_spared(members, pid)};
    return member;
}

static bool is_one_of(const char *word, const char *const words[], size_t count)
{
    size_t i = 0;
    while (i < count && strcmp(word, words[i]) != 0)
        i++;
    return i < count;
}

/* What kind of process a member is now: it may have executed another program since the last look. */
static void look_at_kind(struct member *member)
{
    static const char *const words[] = {"trap", "proxy", "witness", "trapped", "run", "ports"};
    char word[OWN_COMMAND_SIZE];
    own_command(member->pid, word);
    member->stands_by = is_one_of(word, words, sizeof words / sizeof *words);
    member->is_supervisor = strcmp(word, words[0]) == 0;
}

/* Whether the process has the run's notes mapped, too, and the run was alive then. Who just looks whether a
 * run is alive maps its head alone; who clears up after it maps the notes, when it is dead. */
static bool uses_notes(const struct looking *looking, pid_t pid, unsigned run)
{
    const char *path = looking->members->runs[run].assignment + 1;
    char notes[64];
    struct text t = text_in(notes, sizeof notes);
    text_str(&t, strrchr(path, '/'));
    text_str(&t, "/map");
    const struct processes_text text = {notes, strlen(notes)};
    return processes_find(pid, "maps", &text, 1) == 0 &&
           map_life_state(atomic_load(&looking->members->runs[run].head->life)) != MAP_DEAD;
}

/*
 * The run whose files a process has mapped as one of its processes. Commands of portshim map those of runs
 * that they look at, but for the processes of the trap, and for `portshim run` and `ports`, which may be a
 * parent of the run's command.
 */
static int run_by_maps(const struct looking *looking, pid_t pid)
{
    static const char *const of_trap[] = {"trap", "proxy", "witness", "trapped"};
    static const char *const of_run[] = {"run", "ports"};
    char word[OWN_COMMAND_SIZE];
    int run = processes_find(pid, "maps", looking->maps, looking->members->run_count);
    if (run < 0)
        return run;
    own_command(pid, word);
    if (is_one_of(word, of_trap, sizeof of_trap / sizeof *of_trap))
        return run;
    bool may_belong = *word == '\0' || is_one_of(word, of_run, sizeof of_run / sizeof *of_run);
    return may_belong && uses_notes(looking, pid, (unsigned)run) ? run : -ENODATA;
}

static int run_by_texts(const struct looking *looking, pid_t pid)
{
    unsigned runs = looking->members->run_count;
    int found = processes_find(pid, "environ", looking->environ, 2 * runs);
    if (found == -ENODATA)
        found = run_by_maps(looking, pid);
    return found >= 0 ? found % (int)runs : found;
}

static bool is_out_of_descriptors(int error)
{
    return error == -EMFILE || error == -ENFILE;
}

/* The run to which the ancestors of a process belong, as they were when this look began: they may have ended
 * since, of a signal. Negative when to none. */
static int run_of_ancestors(const struct looking *looking, pid_t pid, const struct process_stat *line)
{
    const struct passer *passer = passer_of(looking, pid);
    pid_t parent = passer != NULL && passer->ticks == line->ticks ? passer->parent : line->parent;
    for (unsigned depth = 0; depth < looking->count; depth++) {
        const struct member *member = member_of(looking->members, parent);
        passer = passer_of(looking, parent);
        if (passer == NULL)
            break;
        if (member != NULL && member->ticks == passer->ticks)
            return (int)member->run;
        parent = passer->parent;
    }
    return -ESRCH;
}

/* The run to which a process belongs; negative when to none. */
static int run_of(struct looking *looking, pid_t pid, const struct process_stat *line)
{
    const struct member *known = member_of(looking->members, pid);
    if (known != NULL && known->ticks == line->ticks)
        return (int)known->run;
    int run = run_by_texts(looking, pid);
    if (is_out_of_descriptors(run))
        looking->error = run;
    return run >= 0 ? run : run_of_ancestors(looking, pid, line);
}

static bool is_there(int pidfd)
{
    long error = kernel_call(SYS_pidfd_send_signal, pidfd, 0, NULL, 0);
    return error == 0 || error == -EPERM;
}

/* False when the descriptor has been taken. */
static bool look_at(struct looking *looking, pid_t pid, int pidfd)
{
    struct process_stat line;
    if (!process_read_stat(pid, &line) || !process_is_living(&line))
        return true;
    int run = run_of(looking, pid, &line);
    if (run < 0 || !is_there(pidfd))
        return true;
    struct member *member = member_of(looking->members, pid);
    if (member == NULL || member->ticks != line.ticks)
        member = enter(looking->members, pid, line.ticks, (unsigned)run);
    if (member == NULL) {
        looking->error = -ENOMEM;
        return true;
    }
    member->state = line.state;
    member->seen = true;
    look_at_kind(member);
    return !looking->visit(member, pidfd, looking->context);
}

static bool look_at_process(pid_t pid, void *context)
{
    struct looking *looking = context;
    if (pid == getpid())
        return true;
    int pidfd = (int)kernel_call(SYS_pidfd_open, pid, 0);
    if (is_out_of_descriptors(pidfd))
        looking->error = pidfd;
    if (pidfd >= 0 && look_at(looking, pid, pidfd))
        kernel_close(pidfd);
    return looking->error == 0;
}

/* Looks once more at those whose parents were found after them: a parent's pid may be the larger one. */
static void look_at_descendants(struct looking *looking)
{
    unsigned before;
    do {
        before = looking->members->count;
        for (unsigned i = 0; i < looking->count && looking->error == 0; i++) {
            const struct member *known = member_of(looking->members, looking->passers[i].pid);
            const struct member *parent = member_of(looking->members, looking->passers[i].parent);
            if (known == NULL && parent != NULL)
                look_at_process(looking->passers[i].pid, looking);
        }
    } while (looking->members->count > before && looking->error == 0);
}

static void forget_ended(struct members *members)
{
    unsigned left = 0;
    for (unsigned i = 0; i < members->count; i++)
        if (members->list[i].seen)
            members->list[left++] = members->list[i];
    members->count = left;
}

int members_look(struct members *members, members_visit *visit, void *context)
{
    struct looking looking = {.members = members, .visit = visit, .context = context};
    for (unsigned i = 0; i < members->count; i++)
        members->list[i].seen = false;
    if (!list_texts(&looking))
        looking.error = -ENOMEM;
    if (looking.error == 0 && !processes_each(note_passer, &looking))
        looking.error = -errno;
    if (looking.error == 0)
        processes_each(look_at_process, &looking);
    look_at_descendants(&looking);
    if (looking.error == 0)
        forget_ended(members);
    free(looking.environ);
    free(looking.maps);
    free(looking.passers);
    return looking.error;
}

static bool is_trapped(pid_t pid)
{
    char path[64], mode[16];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    return text_read_line(path, "Seccomp:", mode, sizeof mode) > 0 && strchr(mode, '2') != NULL;
}

static bool has_supervisor(const struct members *members)
{
    for (unsigned i = 0; i < members->count; i++)
        if (members->list[i].is_supervisor)
            return true;
    return false;
}

/* Whether a process that is of none of these runs is in another one. */
static bool is_of_another_run(pid_t pid)
{
    static const char variable[] = "\0PORTSHIM_RUN=", directory[] = "/runs/";
    static const struct processes_text name = {variable, sizeof variable - 1},
                                       head = {directory, sizeof directory - 1};
    return processes_find(pid, "environ", &name, 1) == 0 || processes_find(pid, "maps", &head, 1) == 0;
}

bool members_add_holder(struct members *members, pid_t pid, unsigned run)
{
    static const struct processes_text library = {"/libportshim.so", sizeof "/libportshim.so" - 1};
    struct process_stat line;
    if (!process_read_stat(pid, &line) || !process_is_living(&line))
        return true;
    bool belongs =
        processes_find(pid, "maps", &library, 1) == 0 || (has_supervisor(members) && is_trapped(pid));
    return belongs && !is_of_another_run(pid) && enter(members, pid, line.ticks, run) != NULL;
}

bool members_keeps(const struct members *members, pid_t pid, unsigned run)
{
    const char *secret = members->runs[run].secret;
    const struct processes_text text = {secret, strlen(secret)};
    return processes_find(pid, "maps", &text, 1) == 0;
}

void members_end(struct members *members)
{
    for (unsigned i = 0; i < members->run_count; i++) {
        free(members->runs[i].assignment);
        free(members->runs[i].secret);
    }
    free(members->runs);
    free(members->list);
    free(members->ancestors);
    *members = (struct members){0};
}
