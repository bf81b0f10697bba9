#include "run/life.h"

#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "host/process.h"
#include "run/elder.h"
#include "run/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_NAME_SIZE = RUNDIR_NAME_SIZE + 1 + SECRET_SIZE };

/* If others keep deciding about the same run at the same time, this often is enough: one of them decides. */
enum { TRIES = 8 };

static void file_name(char name[static FILE_NAME_SIZE], uint64_t run_id, const char *file)
{
    char directory[RUNDIR_NAME_SIZE];
    struct text t = text_in(name, FILE_NAME_SIZE);
    rundir_name(directory, run_id);
    text_str(&t, directory);
    text_char(&t, '/');
    text_str(&t, file);
}

static int open_file(const struct home *home, uint64_t run_id, const char *file, int flags)
{
    char name[FILE_NAME_SIZE];
    file_name(name, run_id, file);
    int fd = openat(home->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_secret(const char *name)
{
    return strlen(name) == SECRET_SIZE - 1 && strspn(name, "0123456789abcdef") == SECRET_SIZE - 1;
}

int life_read_texts(int fd, uint64_t *run_id, char secret[static SECRET_SIZE])
{
    struct {
        char run_key[4], run[RUN_ID_BITS / 4 + 1];
        char secret_key[7], secret[SECRET_SIZE];
    } texts = {.run_key = ""};
    ssize_t got = kernel_pread(fd, &texts, sizeof texts, 0);
    if (got < 0)
        return (int)got;
    if (got < (ssize_t)sizeof texts || texts.run_key[0] == '\0')
        return -ENODATA;
    bool known = memcmp(texts.run_key, "run=", 4) == 0 && texts.run[sizeof texts.run - 1] == '\0' &&
                 rundir_id(texts.run, run_id) && memcmp(texts.secret_key, "secret=", 7) == 0 &&
                 texts.secret[SECRET_SIZE - 1] == '\0' && is_secret(texts.secret);
    memcpy(secret, known ? texts.secret : "", known ? SECRET_SIZE : 1);
    return known ? 0 : PORTMAP_ETORN;
}

/* The secret of a run by its texts. -ENODATA when they name another run: its maker is just taking the
 * directory over, or was killed in that. */
static int secret_of_texts(const struct home *home, struct life_look *look)
{
    uint64_t run_id = 0;
    int fd = open_file(home, look->run_id, "texts", O_RDONLY);
    if (fd < 0)
        return fd;
    int error = life_read_texts(fd, &run_id, look->secret);
    close(fd);
    return error == 0 && run_id != look->run_id ? -ENODATA : error;
}

/* Finds the head in a directory without texts, by its name. */
static bool find_secret(int dir, char secret[static SECRET_SIZE])
{
    union {
        struct dirent64 entry;
        char bytes[2048];
    } buffer;
    ssize_t got;
    while ((got = getdents64(dir, (void *)&buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            at += entry->d_reclen;
            if (is_secret(entry->d_name)) {
                memcpy(secret, entry->d_name, SECRET_SIZE);
                return true;
            }
        }
    return false;
}

static int map_head(struct life_look *look)
{
    struct stat st;
    if (fstat(look->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return PORTMAP_EFOREIGN;
    if (st.st_size < MAP_PAGE)
        return -ENODATA;
    look->size = st.st_size < (off_t)sizeof *look->map.head ? (size_t)st.st_size : sizeof *look->map.head;
    void *head = mmap(NULL, look->size, PROT_READ | PROT_WRITE, MAP_SHARED, look->fd, 0);
    if (head == MAP_FAILED)
        return -errno;
    look->map.head = head;
    int error = files_check_head(look->map.head);
    return error == 0 && look->map.head->run_id != look->run_id ? -ENODATA : error;
}

static void close_head(struct life_look *look)
{
    if (look->map.head != NULL)
        munmap(look->map.head, look->size);
    if (look->fd >= 0)
        close(look->fd);
    look->map.head = NULL;
    look->fd = -1;
}

static uint64_t word_at(const char *head, size_t at)
{
    uint64_t word;
    memcpy(&word, head + at, sizeof word);
    return word;
}

/* Whether nothing has to be written to the open head: processes have its lock, and nobody doubted that. Reads
 * a few words: to map the head costs more than all the rest of a look. */
static bool is_clearly_alive(const struct life_look *look)
{
    char head[offsetof(struct map_head, dead_since) + sizeof(uint64_t)];
    if (kernel_pread(look->fd, head, sizeof head, 0) != sizeof head)
        return false;
    uint64_t life = word_at(head, offsetof(struct map_head, life));
    return map_life_run(life) == look->run_id && map_life_state(life) == MAP_LIVES &&
           word_at(head, offsetof(struct map_head, run_id)) == look->run_id &&
           word_at(head, offsetof(struct map_head, dead_since)) == 0 && life_is_locked(look->fd);
}

static int open_head(const struct home *home, struct life_look *look)
{
    look->fd = open_file(home, look->run_id, look->secret, O_RDWR);
    if (look->fd < 0)
        return look->fd;
    bool clear = is_clearly_alive(look);
    int error = clear ? 0 : map_head(look);
    if (clear || error != 0)
        close_head(look);
    return error;
}

bool life_is_locked(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &whole) < 0 || whole.l_type != F_UNLCK;
}

static void place(struct life_judge *judge)
{
    if (judge->placed)
        return;
    judge->pid_namespace = process_pid_namespace();
    judge->net_namespace = process_net_namespace();
    judge->placed = true;
}

/* Whether the process that started the run may be alive. Only in our own pid namespace does its pid tell. If
 * that of the run is unknown, only the lock counts; if ours is unknown, it may be the run's. */
static bool starter_may_live(const struct map_head *head, const struct life_judge *judge)
{
    if (head->pid_namespace == 0)
        return false;
    if (judge->pid_namespace == 0)
        return true;
    return head->pid_namespace == judge->pid_namespace &&
           process_is_alive(head->starter, head->starter_start_time);
}

/* Whether the starter's pid tells nothing here. While that executes a program, no lock tells of it, and no
 * note: whoever sees its pid knows that it lives. */
static bool starter_is_out_of_sight(const struct map_head *head, const struct life_judge *judge)
{
    return head->pid_namespace == 0 || head->pid_namespace != judge->pid_namespace;
}

unsigned life_ports(const struct life_look *look, struct portbits *ports)
{
    const struct map_head *head = look->map.head;
    uint32_t count = map_start_count(&look->map);
    size_t room = (look->size - offsetof(struct map_head, start)) / sizeof head->start[0];
    memset(ports, 0, sizeof *ports);
    for (uint32_t i = 0; i < count && i < room; i++) {
        struct map_pair pair = map_start(&look->map, i);
        if (!(map_pair_entry(pair) & MAP_INHERITED))
            portbits_add(ports, pair.real);
        if (!(pair.flags & MAP_PAIR_ALIAS_INHERITED))
            portbits_add(ports, pair.alias);
    }
    if (head->has_late && look->size == sizeof *head)
        for (unsigned word = 0; word < PORTBITS_WORDS; word++)
            ports->word[word] |= atomic_load(&head->granted[word]);
    portbits_remove(ports, 0);
    return portbits_count(ports);
}

/* The sockets of another network namespace cannot be seen. */
static bool is_elsewhere(const struct map_head *head, const struct life_judge *judge)
{
    return head->net_namespace != 0 && judge->net_namespace != 0 &&
           head->net_namespace != judge->net_namespace;
}

static bool has_sockets(const struct life_look *look, struct life_judge *judge)
{
    struct portbits ports;
    if (is_elsewhere(look->map.head, judge))
        return false;
    unsigned count = life_ports(look, &ports);
    return held_any(&ports, count, &judge->held);
}

/* What the run's processes have noted, beside its head. */
struct notes {
    uint32_t log_next, execs, unreached;
};

/* If there are no notes, anything may have happened. */
static struct notes read_notes(const struct home *home, uint64_t run_id)
{
    struct notes notes = {.execs = 1};
    struct map_notes *first;
    char begin[sizeof first->generation * 5];
    int fd = open_file(home, run_id, "map", O_RDONLY);
    if (fd >= 0 && kernel_pread(fd, begin, sizeof begin, 0) == sizeof begin) {
        memcpy(&notes.log_next, begin + offsetof(struct map_notes, log_next), sizeof notes.log_next);
        memcpy(&notes.execs, begin + offsetof(struct map_notes, execs), sizeof notes.execs);
        memcpy(&notes.unreached, begin + offsetof(struct map_notes, unreached), sizeof notes.unreached);
    }
    if (fd >= 0)
        close(fd);
    return notes;
}

/* Whether a process may be in the run that no lock tells of: it was just executing a program. */
static bool may_have_unseen(const struct notes *notes)
{
    return (notes->execs | notes->unreached) != 0;
}

bool life_ends_at_once(const struct home *home, uint64_t run_id)
{
    struct notes notes = read_notes(home, run_id);
    return !may_have_unseen(&notes) && files_keep_locks(home->fd);
}

/*
 * Under what circumstances a run was first found without processes. If they are others now, that counts for
 * nothing: when a process has joined since; in another time namespace, whose clock is another one; or when
 * two judges wrote at once. Odd constants, so that different circumstances hardly have the same mark.
 */
static uint64_t mark_of(uint64_t since, uint32_t log_next)
{
    struct stat clock = {.st_ino = 0};
    stat("/proc/self/ns/time", &clock);
    return since ^ (log_next + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
           clock.st_ino * UINT64_C(0xc2b2ae3d27d4eb4f);
}

/* Whether the run was found without processes LIFE_GRACE ago. If not, notes that it has been found so now. */
static bool was_empty_before(struct life_look *look, uint32_t log_next)
{
    struct map_head *head = look->map.head;
    uint64_t now = process_clock(), since = atomic_load(&head->dead_since);
    if (since != 0 && atomic_load(&head->dead_mark) == mark_of(since, log_next))
        return now - since >= LIFE_GRACE;
    atomic_store(&head->dead_since, now);
    atomic_store(&head->dead_mark, mark_of(now, log_next));
    /* Another run may have taken the file over meanwhile. */
    if (!life_has_head(&look->map, look->run_id))
        atomic_store(&head->dead_since, 0);
    return false;
}

static uint64_t next_life(uint64_t life, enum map_life state)
{
    uint64_t round = ((life | MAP_LIFE_STATE) + 1) & ((1 << MAP_LIFE_BITS) - 1);
    return map_life_run(life) << MAP_LIFE_BITS | round | state;
}

/* Notes that a run is alive, which somebody may have doubted. */
static void note_alive(struct life_look *look)
{
    struct map_head *head = look->map.head;
    uint64_t life = atomic_load(&head->life);
    if (map_life_run(life) == look->run_id && map_life_state(life) == MAP_DECIDING)
        atomic_compare_exchange_strong(&head->life, &life, next_life(life, MAP_LIVES));
    if (atomic_load(&head->dead_since) != 0)
        atomic_store(&head->dead_since, 0);
}

/* Decides about a run that seems to be over. RUN_DYING: another judge was quicker. A process that has joined
 * since the notes were read, and is just executing a program, has written that there. */
static enum run_state decide(const struct home *home, struct life_look *look, uint64_t life,
                             const struct notes *before)
{
    struct map_head *head = look->map.head;
    uint64_t deciding = next_life(life, MAP_DECIDING);
    atomic_store(&head->judge, getpid());
    if (!atomic_compare_exchange_strong(&head->life, &life, deciding))
        return RUN_DYING;
    bool alive = life_is_locked(look->fd);
    struct notes now = read_notes(home, look->run_id);
    alive = alive || memcmp(&now, before, sizeof now) != 0;
    uint64_t verdict = alive ? next_life(deciding, MAP_LIVES) : look->run_id << MAP_LIFE_BITS | MAP_DEAD;
    if (!atomic_compare_exchange_strong(&head->life, &deciding, verdict))
        return RUN_DYING;
    return alive ? RUN_ALIVE : RUN_DEAD;
}

static enum run_state judge_head(const struct home *home, struct life_look *look, struct life_judge *judge)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint64_t life = atomic_load(&look->map.head->life);
        if (map_life_run(life) != look->run_id || map_life_state(life) == MAP_DEAD)
            return RUN_DEAD;
        place(judge);
        if (life_is_locked(look->fd) || starter_may_live(look->map.head, judge) || has_sockets(look, judge)) {
            note_alive(look);
            return RUN_ALIVE;
        }
        struct notes notes = read_notes(home, look->run_id);
        bool may_be_unseen = may_have_unseen(&notes) || !files_keep_locks(look->fd) ||
                             starter_is_out_of_sight(look->map.head, judge);
        if (may_be_unseen && !was_empty_before(look, notes.log_next))
            return RUN_DYING;
        enum run_state state = decide(home, look, life, &notes);
        if (state != RUN_DYING)
            return state;
    }
    return RUN_DYING;
}

/* Looks at what is in a directory whose texts do not say where the head is. 0 when the head was found. */
static int look_without_texts(const struct home *home, struct life_look *look)
{
    char name[RUNDIR_NAME_SIZE];
    rundir_name(name, look->run_id);
    int dir = openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        look->state = errno == ENOENT ? RUN_GONE : RUN_ALIVE;
        return -errno;
    }
    int error = 0;
    if (elder_look(dir, look->run_id, &look->state))
        look->files = LIFE_ELDER;
    else
        error = find_secret(dir, look->secret) ? open_head(home, look) : -ENODATA;
    close(dir);
    return look->files == LIFE_ELDER ? -ENODATA : error;
}

struct life_look life_look(const struct home *home, uint64_t run_id, struct life_judge *judge)
{
    struct life_look look = {
        .run_id = run_id, .state = RUN_ALIVE, .files = LIFE_OTHER, .fd = -1, .map = {.fd = -1}};
    int error = secret_of_texts(home, &look);
    if (error == 0)
        error = open_head(home, &look);
    else if (error == -ENOENT || error == -ENODATA)
        error = look_without_texts(home, &look);
    if (look.state == RUN_GONE || look.files == LIFE_ELDER)
        return look;
    if (error == 0) {
        look.files = LIFE_WHOLE;
        look.state = look.map.head == NULL ? RUN_ALIVE : judge_head(home, &look, judge);
        if (look.state == RUN_ALIVE)
            close_head(&look);
    } else if (error == -ENOENT || error == -ENODATA) {
        look.files = LIFE_BROKEN;
        look.state = RUN_DEAD;
    }
    return look;
}

void life_look_away(struct life_look *look)
{
    close_head(look);
}

enum run_state life_of(const struct home *home, uint64_t run_id)
{
    struct life_judge judge = {0};
    struct life_look look = life_look(home, run_id, &judge);
    life_look_away(&look);
    return look.state;
}

bool life_has_processes(const struct home *home, uint64_t run_id)
{
    struct life_judge judge = {0};
    struct life_look look = {.run_id = run_id, .fd = -1, .map = {.fd = -1}};
    int error = secret_of_texts(home, &look);
    if (error == 0)
        look.fd = open_file(home, run_id, look.secret, O_RDWR);
    if (error != 0 || look.fd < 0 || map_head(&look) != 0) {
        close_head(&look);
        return true;
    }
    place(&judge);
    bool has = life_is_locked(look.fd) || !files_keep_locks(look.fd) || has_sockets(&look, &judge);
    close_head(&look);
    return has;
}

/* What the head of a run says about the process that started it. */
static bool read_starter(int fd, pid_t *pid, uint64_t *start_time, uint32_t *pid_namespace)
{
    char head[offsetof(struct map_head, net_namespace)];
    int32_t starter;
    if (kernel_pread(fd, head, sizeof head, 0) != sizeof head)
        return false;
    memcpy(&starter, head + offsetof(struct map_head, starter), sizeof starter);
    memcpy(pid_namespace, head + offsetof(struct map_head, pid_namespace), sizeof *pid_namespace);
    *pid = starter;
    *start_time = word_at(head, offsetof(struct map_head, starter_start_time));
    return true;
}

enum life_starter life_starter(const struct home *home, uint64_t run_id)
{
    struct life_look look = {.run_id = run_id};
    uint64_t start_time;
    uint32_t pid_namespace;
    pid_t pid;
    int fd = secret_of_texts(home, &look) == 0 ? open_file(home, run_id, look.secret, O_RDONLY) : -1;
    if (fd < 0)
        return STARTER_LIVES;
    bool known = read_starter(fd, &pid, &start_time, &pid_namespace);
    close(fd);
    if (!known || pid_namespace == 0 || pid_namespace != process_pid_namespace())
        return STARTER_LIVES;
    bool is_ending = process_is_ending(pid, start_time); /* first: it may end between the two looks */
    return !process_is_alive(pid, start_time) ? STARTER_ENDED : is_ending ? STARTER_ENDING : STARTER_LIVES;
}

enum run_state life_settled(const struct home *home, uint64_t run_id)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    enum run_state state;
    while ((state = life_of(home, run_id)) == RUN_DYING)
        nanosleep(&pause, NULL);
    return state;
}

bool life_has_head(const struct map *map, uint64_t run_id)
{
    return map_life_run(atomic_load(&map->head->life)) == run_id;
}

void life_end(struct map *map)
{
    uint64_t life = atomic_load(&map->head->life);
    uint64_t dead = map_life_run(life) << MAP_LIFE_BITS | MAP_DEAD;
    while (!atomic_compare_exchange_strong(&map->head->life, &life, dead))
        continue;
}
