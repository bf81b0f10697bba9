#include "run/sweep.h"

#include "base/kernel.h"
#include "host/held.h"
#include "host/process.h"
#include "run/ended.h"
#include "run/life.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/texts.h"
#include "run/young.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* How many looks in turn a start takes; and how many more it may take when they find runs that are just
 * dying. With one alone a loop of runs, which dies for two seconds each, would find too few dead ones: it
 * adds one run each time. */
enum { TURN_LOOKS = 1, TURN_PASSES = 3 };

struct sweeping {
    const struct home *home;
    struct lease_table *leases;
    struct life_judge judge;
    struct vacancy *vacancy; /* NULL: every dead run's directory is removed */
    uint64_t position;
    uint64_t deadline; /* process_clock(); 0: none */
    unsigned left;     /* runs to look at */
    unsigned passes;   /* beside that many dying ones */
    unsigned dead;     /* how many were found dead */
    bool remove;       /* false: only gives leases back */
    bool unrecorded;   /* the record of ended runs cannot be written */
    struct sweep result;
};

/* Gives back all leases of a run that the table knows of. With `careful` only those of ports that no process
 * holds; false when some are left. */
static bool give_back_all(struct sweeping *s, uint64_t run_id, bool careful)
{
    lease_owner owner = lease_run_owner(run_id);
    bool all = true;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        if (lease_holder(s->leases, port) != owner)
            continue;
        if (careful && held_port(port))
            all = false;
        else
            s->result.freed += lease_release(s->leases, port, owner);
    }
    return all;
}

/* Gives back what a dead run has leased by its head: no process holds these ports, or it would be alive. */
static void give_back(struct sweeping *s, const struct life_look *look)
{
    lease_owner owner = lease_run_owner(look->run_id);
    struct portbits ports;
    life_ports(look, &ports);
    for (unsigned word = 0; word < PORTBITS_WORDS; word++)
        for (uint64_t left = ports.word[word]; left != 0; left &= left - 1)
            s->result.freed += lease_release(s->leases, word * 64 + (unsigned)__builtin_ctzll(left), owner);
}

/* Gives back the leases of a dead run. If its maker was killed before it had entered everything in the head,
 * or if there is none, the table tells. False when some must be kept. */
static bool settle_leases(struct sweeping *s, const struct life_look *look)
{
    if (look->files == LIFE_WHOLE && atomic_load(&look->map.head->ready)) {
        give_back(s, look);
        return true;
    }
    return give_back_all(s, look->run_id, look->files != LIFE_WHOLE);
}

enum { FEW_TEXTS = 1024 };

/* Reads the texts of a run in a locked directory, if they are short, as most are. */
static bool read_few_texts(const struct rundir *dir, char few[static FEW_TEXTS], struct map *map)
{
    char secret[SECRET_SIZE];
    uint64_t run_id;
    int fd = openat(dir->fd, "texts", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool known = life_read_texts(fd, &run_id, secret) == 0;
    ssize_t got = kernel_pread(fd, few, FEW_TEXTS, 0);
    close(fd);
    if (!known || got <= 0 || got >= FEW_TEXTS || few[got - 1] != '\0')
        return false;
    map->texts = few;
    map->texts_size = (size_t)got;
    return true;
}

/* What the processes of a run have noted, unless it discovers ports. They may have cut the file short. */
static bool read_notes(const struct rundir *dir, struct map_notes *notes)
{
    int fd = openat(dir->fd, "map", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool whole = fd >= 0 && kernel_pread(fd, notes, sizeof *notes, 0) == sizeof *notes;
    if (fd >= 0)
        close(fd);
    return whole;
}

/* When a run was found dead: when it was first found without a process, if it was found so twice. */
static uint64_t found_date(const struct map_head *head)
{
    uint64_t now = process_clock(), since = atomic_load(&head->dead_since), date = process_date();
    return since != 0 && since < now && now - since < date ? date - (now - since) : date;
}

/* Records that a dead run, whose texts are known, has ended. */
static void record(struct sweeping *s, const struct rundir *dir, const struct map *dead)
{
    struct ended ended;
    struct map_notes notes;
    struct map map = *dead;
    if (s->unrecorded || !atomic_load(&map.head->ready))
        return;
    map.notes = !map.head->discover && read_notes(dir, &notes) ? &notes : NULL;
    ended_describe(&ended, &map);
    ended.how = ENDED_FOUND;
    ended.date = found_date(map.head);
    s->unrecorded = !ended_write(s->home, &ended);
}

/* Removes what the texts of a dead run lead to: its names, and drafts of its map files. Records its end. */
static void forget_texts(struct sweeping *s, const struct life_look *look, const struct rundir *dir)
{
    char name[RUNDIR_NAME_SIZE], few[FEW_TEXTS];
    struct map map = look->map;
    rundir_name(name, look->run_id);
    bool few_are_all = read_few_texts(dir, few, &map);
    bool known = look->files == LIFE_WHOLE && (few_are_all || texts_open(&map, s->home->fd, name) == 0);
    if (known)
        record(s, dir, &map);
    if (few_are_all && texts_get(&map, TEXT_NAME, 0) == NULL && texts_get(&map, TEXT_FILE, 0) == NULL)
        return;
    if (known && texts_get(&map, TEXT_SECRET, 0) != NULL)
        name_forget_all(s->home, &map);
    else
        name_forget_run(s->home, look->run_id);
    if (known) {
        publish_clear(&map);
        texts_close(&map);
    }
}

/* Whether a new run may have the files of this one: they are no larger than those of others. */
static bool is_vacant(const struct sweeping *s, const struct life_look *look)
{
    return s->vacancy != NULL && s->vacancy->dir.fd < 0 && look->files == LIFE_WHOLE &&
           !look->map.head->has_late && !look->map.head->discover;
}

static void offer(struct sweeping *s, const struct life_look *look, const struct rundir *dir)
{
    s->vacancy->dir = *dir;
    memcpy(s->vacancy->secret, look->secret, SECRET_SIZE);
    /* A command that still has it mapped sees that this is another run's now. */
    atomic_store(&look->map.head->life, MAP_DEAD);
}

/* Whether a run that was found dead has left what the look has shown. Before the directory was locked,
 * another run may have taken it over; or have been about to, so that it looked broken. */
static bool is_still_there(struct sweeping *s, struct life_look *look)
{
    if (look->files == LIFE_WHOLE && life_has_head(&look->map, look->run_id))
        return true;
    life_look_away(look);
    *look = life_look(s->home, look->run_id, &s->judge);
    return look->state == RUN_DEAD;
}

/* Clears up what a dead run has left. */
static void clear_up(struct sweeping *s, struct life_look *look)
{
    struct rundir dir;
    if (rundir_lock(s->home, &(struct rundir_entry){.run_id = look->run_id}, &dir) != 0)
        return; /* somebody else is doing it */
    bool over = is_still_there(s, look) && settle_leases(s, look);
    if (over)
        forget_texts(s, look, &dir);
    if (over && is_vacant(s, look)) {
        offer(s, look, &dir);
        return;
    }
    if (over) {
        rundir_remove(s->home, &dir);
        s->result.removed++;
    }
    rundir_unlock(&dir);
}

static void sweep_draft(struct sweeping *s, const struct rundir_entry *entry)
{
    struct rundir dir;
    if (rundir_lock(s->home, entry, &dir) == 0) /* else it is being made */
        rundir_remove(s->home, &dir);
}

static enum run_state look_at_run(struct sweeping *s, uint64_t run_id)
{
    struct life_look look = life_look(s->home, run_id, &s->judge);
    bool dead = look.state == RUN_DEAD;
    s->dead += dead;
    s->result.dying += look.state == RUN_DYING && !s->remove;
    if (dead && s->remove)
        clear_up(s, &look);
    else if (dead && look.files == LIFE_WHOLE)
        settle_leases(s, &look);
    if (look.state == RUN_ALIVE)
        young_keep(s->home, run_id);
    life_look_away(&look);
    return look.state;
}

static bool has_time(const struct sweeping *s)
{
    return s->deadline == 0 || process_clock() < s->deadline;
}

static bool sweep_run(const struct rundir_entry *entry, void *context)
{
    struct sweeping *s = context;
    bool dying = false;
    if (entry->draft)
        sweep_draft(s, entry);
    else
        dying = look_at_run(s, entry->run_id) == RUN_DYING;
    if (dying && s->passes > 0)
        s->passes--;
    else
        s->left--;
    bool offered = s->vacancy != NULL && s->vacancy->dir.fd >= 0;
    return s->left > 0 && !offered && has_time(s);
}

/* Gives back the leases of runs whose directory somebody has removed by hand. */
static void sweep_orphans(struct sweeping *s)
{
    uint64_t last = 0;
    bool gone = false;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        lease_owner owner = lease_holder(s->leases, port);
        uint64_t run_id = lease_owner_run(owner);
        if (run_id != 0 && run_id != last) {
            gone = life_of(s->home, run_id) == RUN_GONE;
            last = run_id;
        }
        if (run_id != 0 && gone && !held_port(port))
            s->result.freed += lease_release(s->leases, port, owner);
    }
}

/* A judge in the namespaces of this process, which the table knows already. */
static struct life_judge judge_of(const struct lease_table *leases)
{
    uint32_t pid, net;
    lease_namespaces(leases, &pid, &net);
    return (struct life_judge){.placed = true, .pid_namespace = pid, .net_namespace = net};
}

struct sweep sweep_runs(const struct home *home, struct lease_table *leases, unsigned most)
{
    struct sweeping s = {.home = home, .leases = leases, .judge = judge_of(leases), .left = most};
    s.deadline = most == SWEEP_ALL ? 0 : process_clock() + SWEEP_LOOKING;
    s.position = lease_sweep_position(leases);
    uint64_t begin = s.position;
    rundir_each_from(home, &s.position, false, sweep_run, &s);
    if (s.dead > 0) {
        s.left = most;
        s.position = begin;
        s.remove = true;
        s.deadline = most == SWEEP_ALL ? 0 : process_clock() + SWEEP_REMOVING;
        rundir_each_from(home, &s.position, false, sweep_run, &s);
    }
    lease_set_sweep_position(leases, s.position);
    if (most == SWEEP_ALL)
        sweep_orphans(&s);
    return s.result;
}

void sweep_home(const struct home *home)
{
    struct lease_table leases;
    if (lease_open_existing(&leases, home) != 0)
        return;
    sweep_runs(home, &leases, SWEEP_SOME);
    lease_close(&leases);
}

void sweep_ended(const struct home *home, uint64_t run_id)
{
    struct lease_table leases;
    if (lease_open_existing(&leases, home) != 0)
        return;
    struct sweeping s = {.home = home, .leases = &leases, .judge = judge_of(&leases), .remove = true};
    look_at_run(&s, run_id);
    lease_close(&leases);
}

void sweep_turn(const struct home *home, struct lease_table *leases, struct vacancy *vacancy)
{
    struct sweeping s = {.home = home,
                         .leases = leases,
                         .judge = judge_of(leases),
                         .vacancy = vacancy,
                         .left = TURN_LOOKS,
                         .passes = vacancy != NULL ? TURN_PASSES : 0,
                         .remove = true};
    if (vacancy != NULL)
        vacancy->dir.fd = -1;
    s.position = lease_sweep_position(leases);
    rundir_each_from(home, &s.position, true, sweep_run, &s);
    lease_set_sweep_position(leases, s.position);
    uint64_t last = lease_last_run(leases);
    if (vacancy == NULL || (vacancy->dir.fd >= 0 && vacancy->dir.entry.run_id == last))
        return;
    /* Among many living runs the one that was made last is often the only one that has ended. If it has to be
     * found so twice, the first time should be soon: else the turn reaches it twice, and in a loop of runs
     * more are made than go. */
    s.remove = vacancy->dir.fd < 0;
    if (s.remove || !life_ends_at_once(home, last))
        look_at_run(&s, last);
}

void sweep_discard(const struct home *home, struct lease_table *leases, uint64_t run_id)
{
    struct sweeping s = {.home = home, .leases = leases};
    struct rundir dir;
    give_back_all(&s, run_id, false);
    if (rundir_lock(home, &(struct rundir_entry){.run_id = run_id}, &dir) == 0)
        rundir_remove(home, &dir);
}
