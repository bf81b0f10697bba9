/* The files of a run: run/files.h. */
#include "places.h"

#include "error.h"
#include "lease/pool.h"
#include "run/run.h"
#include "run/sighting.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static const uint64_t run_id = 0x123456789abcd;
static const char run_path[] = "0123456789abcd"; /* below the test's directory */
static char secret[SECRET_SIZE];
static struct texts texts;
static char head_path[PATH_MAX];

static const struct files_kind plain = {.late = false}, late = {.late = true}, discover = {.discover = true};

static int create(struct map *map, uint64_t id, struct files_kind kind)
{
    equal(files_secret(secret), 0);
    snprintf(head_path, sizeof head_path, "%s", in_directory("%s/%s", run_path, secret));
    int fd = open(run_path, O_RDONLY | O_DIRECTORY);
    check(fd >= 0, "%m");
    int error = files_create(map, fd, id, secret, kind);
    texts_begin(&texts, id, secret);
    if (error == 0)
        error = texts_write(&texts, map, fd);
    close(fd);
    return error;
}

/* Makes a run in a directory of the test, and has it mapped. */
static struct map *make(struct files_kind kind)
{
    struct map *map = malloc(sizeof *map);
    enter_new_directory();
    check(mkdir(run_path, 0711) == 0, "%m");
    equal(create(map, run_id, kind), 0);
    set_ephemeral(map, EPHEMERAL_FIRST, EPHEMERAL_LAST);
    return map;
}

static int join(struct map *map)
{
    int judge;
    return files_join(map, head_path, &judge);
}

static int error_of_opening(void)
{
    struct map map;
    int error = files_open(&map, AT_FDCWD, run_path);
    if (error == 0)
        files_close(&map);
    check(map.fd == -1 && map.head == NULL && map.notes == NULL && map.late == NULL && map.texts == NULL,
          "something is left open");
    return error;
}

static int error_of_joining(void)
{
    struct map map;
    int error = join(&map);
    if (error == 0)
        files_close(&map);
    check(map.fd == -1 && map.head == NULL && map.notes == NULL && map.late == NULL,
          "something is left open");
    return error;
}

static int error_of_joining_own(void)
{
    struct map map;
    char path[PATH_MAX];
    int judge, error = files_join_own(&map, run_path, path, &judge);
    if (error == 0)
        files_close(&map);
    check(map.fd == -1 && map.head == NULL && map.notes == NULL && map.late == NULL,
          "something is left open");
    return error;
}

static const char *file_named(const char *name)
{
    return in_directory("%s/%s", run_path, name);
}

static const char *late_path(void)
{
    static char name[64];
    snprintf(name, sizeof name, "%s.late", secret);
    return file_named(name);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    check(stat(path, &st) == 0, "%s: %m", path);
    return st.st_mode & 07777;
}

static unsigned count_entries(const char *path)
{
    unsigned count = 0;
    DIR *listing = opendir(path);
    check(listing != NULL, "%s: %m", path);
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count - 2;
}

static unsigned open_files(void)
{
    return count_entries("/proc/self/fd");
}

/* Whether a process of the run is seen, by the way that run/life.h asks: F_RDLCK, or F_UNLCK. */
static int lock_seen(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(head_path, O_RDWR | O_CLOEXEC);
    check(fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0, "%m");
    close(fd);
    return whole.l_type;
}

/* Whether this process may do what root may; says so if not. */
static bool is_root(void)
{
    if (geteuid() != 0)
        printf("# skipped, as only root can do that\n");
    return geteuid() == 0;
}

/* Runs something in a child, which fails or crashes with it. */
static int in_child(void (*what)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        what();
        fflush(stdout);
        _exit(0);
    }
    check(pid > 0 && waitpid(pid, &status, 0) == pid, "%m");
    return status;
}

TEST("each file has its mode, whatever the umask is, and there are no others")
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned is_late = 0; is_late < 2; is_late++) {
            char place[] = "/tmp/portshim-unit.XXXXXX";
            struct map map;
            check(mkdtemp(place) != NULL && chdir(place) == 0 && mkdir(run_path, 0711) == 0, "%m");
            snprintf(directory, sizeof directory, "%s", place);
            mode_t before = umask(masks[i]);
            int error = create(&map, run_id, is_late ? late : plain);
            umask(before);
            equal(error, 0);
            equal(mode_of(file_named("texts")), 0600);
            equal(mode_of(file_named("map")), 0600);
            equal(mode_of(head_path), 0644);
            if (is_late)
                equal(mode_of(late_path()), 0666);
            equal(count_entries(run_path), 3 + is_late);
            files_close(&map);
            remove_directory();
        }
}

TEST("a secret is 32 hexadecimal digits, and each another")
{
    enum { SECRETS = 100 };
    char secrets[SECRETS][SECRET_SIZE];
    for (unsigned i = 0; i < SECRETS; i++) {
        equal(files_secret(secrets[i]), 0);
        equal(strlen(secrets[i]), 32);
        equal(strspn(secrets[i], "0123456789abcdef"), 32);
        for (unsigned k = 0; k < i; k++)
            check(strcmp(secrets[k], secrets[i]) != 0, "%s", secrets[i]);
    }
}

TEST("a new map is this process's, lives, and is not ready")
{
    static const struct files_kind kinds[] = {{.late = false}, {.late = true}, {.discover = true}};
    for (unsigned i = 0; i < 3; i++) {
        struct map *map = malloc(sizeof *map);
        if (i == 0)
            map = make(kinds[i]);
        else
            equal(create(map, run_id, kinds[i]), 0);
        const struct map_head *head = map->head;
        struct ephemeral_range range = pool_ephemeral_range();
        equal(head->run_id, run_id);
        equal(head->starter, getpid());
        equal(head->starter_start_time, process_start_time(getpid()));
        equal(head->uid, geteuid());
        equal(head->net_namespace, process_net_namespace());
        equal(head->pid_namespace, process_pid_namespace());
        check(head->created <= process_clock() && process_clock() - head->created < 60000000000, "created");
        equal(head->has_late, kinds[i].late);
        equal(head->discover, kinds[i].discover);
        equal(head->reveal + head->strict + head->required, 0);
        equal(atomic_load(&head->life), run_id << 8 | MAP_LIVES);
        equal(atomic_load(&head->ready), 0);
        equal(atomic_load(&head->dead_since), 0);
        equal(map_start_count(map), 0);
        if (i > 0) {
            equal(head->ephemeral_first, range.first);
            equal(head->ephemeral_last, range.last);
        }
        equal(map->late != NULL, kinds[i].late);
        check(map->notes != NULL && map->fd >= 0 && map->texts != NULL, "closed");
        files_close(map);
    }
}

TEST("who joins a run finds what its maker entered, and both see what is entered later")
{
    struct map *map = make(late), joined, opened;
    uint32_t entry = 0;
    assign(map, 8080, 20000, PORTMAP_TCP);
    list_late(map, 9090, PORTMAP_BOTH, BY_NUMBER);
    equal(join(&joined), 0);
    equal(files_open(&opened, AT_FDCWD, run_path), 0);
    equal(joined.head->run_id, run_id);
    equal(map_real(&joined, 8080), 20000);
    map_note_bound(&joined, 8080);
    assign(map, 8081, 20001, PORTMAP_BOTH);
    check(enter_leased(map, 9090, 20002, &entry), "not assigned");
    check(map_was_bound(map, 8080) && map_was_bound(&opened, 8080) && !map_was_bound(map, 8081), "bound");
    equal(map_real(&joined, 8081), 20001);
    equal(map_real(&opened, 8081), 20001);
    equal(map_real(&joined, 9090), 20002);
    map_log(&joined, MAP_EVENT_ATTACH, 4711, 0, 0, 0);
    equal(newest(&opened).pid, 4711);
    assign(&opened, 8082, 20003, PORTMAP_BOTH);
    equal(map_real(&joined, 8082), 20003);
    equal_text(texts_get(&opened, TEXT_SECRET, 0), secret);
    check(texts_get(&joined, TEXT_SECRET, 0) == NULL, "the texts are in a process of the run");
}

TEST("who has joined finds assignments for which the head had to grow")
{
    struct map *map = make(plain), joined;
    equal(join(&joined), 0);
    for (unsigned i = 0; i < MAP_START_MAX; i++) {
        assign(map, 1 + i, 20000 + i, PORTMAP_BOTH);
        equal(map_start(&joined, i).real, 20000 + i);
    }
    equal(map_real(&joined, MAP_START_MAX), 20000 + MAP_START_MAX - 1);
}

static void write_to_head(void)
{
    struct map joined;
    equal(join(&joined), 0);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler */
    atomic_store(&joined.head->dead_since, 1);
}

TEST("a process of the run cannot write to the head")
{
    struct map *map = make(late);
    int status = in_child(write_to_head);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%d", status);
    equal(atomic_load(&map->head->dead_since), 0);
}

TEST("joining and making leave no descriptor open but that of a head that may be written")
{
    struct map *map = make(late), joined, opened;
    char path[PATH_MAX];
    int judge;
    unsigned before = open_files();
    equal(join(&joined), 0);
    equal(open_files(), before);
    equal(joined.fd, -1);
    equal(files_join_own(&opened, run_path, path, &judge), 0);
    equal(open_files(), before);
    files_close(&opened);
    equal(files_open(&opened, AT_FDCWD, run_path), 0);
    equal(open_files(), before + 1);
    check((fcntl(opened.fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(map->fd, F_GETFD) & FD_CLOEXEC) != 0,
          "exec");
    files_close(&opened);
    files_close(map);
    files_close(&joined);
    equal(open_files(), before - 1);
}

TEST("a run's owner joins it without being told the secret, and learns the path of its head")
{
    struct map *map = make(late), joined;
    char path[PATH_MAX];
    int judge;
    assign(map, 8080, 20000, PORTMAP_BOTH);
    equal(files_join_own(&joined, in_directory("%s", run_path), path, &judge), 0);
    equal_text(path, head_path);
    equal(map_real(&joined, 8080), 20000);
    check(joined.notes != NULL && joined.late != NULL && joined.texts == NULL, "not as a process of the run");
    equal(files_join_own(&joined, in_directory("none"), path, &judge), -ENOENT);
    check(truncate(file_named("texts"), 0) == 0, "%m");
    equal(files_join_own(&joined, run_path, path, &judge), -ENODATA);
}

/* What may be wrong with a file, and how it is opened then. */
struct damage {
    const char *what;
    void (*damage)(const char *path);
    int error;
};

static void empty(const char *path)
{
    check(truncate(path, 0) == 0, "%m");
}

static void clear(const char *path)
{
    struct stat st;
    check(stat(path, &st) == 0 && truncate(path, 0) == 0 && truncate(path, st.st_size) == 0, "%m");
}

static void shorten(const char *path)
{
    struct stat st;
    check(stat(path, &st) == 0 && truncate(path, st.st_size - 1) == 0, "%m");
}

static void halve(const char *path)
{
    struct stat st;
    check(stat(path, &st) == 0 && truncate(path, st.st_size / 2 / MAP_PAGE * MAP_PAGE) == 0, "%m");
}

static void lengthen_much(const char *path)
{
    check(truncate(path, TEXTS_MAX + 1) == 0, "%m");
}

static void drop(const char *path)
{
    check(unlink(path) == 0, "%m");
}

static void replace_by_link(const char *path)
{
    char target[PATH_MAX];
    snprintf(target, sizeof target, "%s.moved", path);
    check(rename(path, target) == 0 && symlink(target, path) == 0, "%m");
}

static void replace_by_directory(const char *path)
{
    check(unlink(path) == 0 && mkdir(path, 0700) == 0, "%m");
}

static void replace_by_fifo(const char *path)
{
    check(unlink(path) == 0 && mkfifo(path, 0600) == 0, "%m");
}

static void give_away(const char *path)
{
    check(chown(path, NOBODY, NOBODY) == 0, "%m");
}

static void write_at(const char *path, off_t at, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY);
    check(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len, "%m");
    close(fd);
}

static void change_magic(const char *path)
{
    write_at(path, (off_t)below(8), "x", 1);
}

static void change_version(const char *path)
{
    uint32_t version = MAP_VERSION - 1;
    write_at(path, offsetof(struct map_head, version), &version, sizeof version);
}

static void change_size(const char *path)
{
    uint32_t size = sizeof(struct map_head) + 8;
    write_at(path, offsetof(struct map_head, size), &size, sizeof size);
}

static void claim_many(const char *path)
{
    uint32_t count = 485; /* one more than the page has */
    write_at(path, offsetof(struct map_head, start_count), &count, sizeof count);
}

static void claim_late(const char *path)
{
    write_at(path, offsetof(struct map_head, has_late), "\1", 1);
}

static void claim_discovering(const char *path)
{
    write_at(path, offsetof(struct map_head, discover), "\1", 1);
}

static void open_damaged(const struct damage *damages, unsigned count, struct files_kind kind,
                         const char *name, bool joins)
{
    for (unsigned i = 0; i < count; i++) {
        struct map map;
        if (damages[i].damage == give_away && !is_root())
            continue;
        check(system("rm -rf 0123456789abcd") == 0 && mkdir(run_path, 0711) == 0, "%m");
        equal(create(&map, run_id, kind), 0);
        files_close(&map);
        equal(error_of_opening(), 0);
        damages[i].damage(name == NULL ? head_path : *name == '.' ? late_path() : file_named(name));
        int error = error_of_opening();
        check(error == damages[i].error, "%s: %d", damages[i].what, error);
        if (name == NULL && (error == PORTMAP_ETORN || error == -ENODATA)) {
            error = error_of_joining_own();
            check(error == damages[i].error, "%s, joined by the owner: %d", damages[i].what, error);
        }
        if (joins) {
            error = error_of_joining();
            check(error == damages[i].error, "%s, joined: %d", damages[i].what, error);
        }
    }
}

#define EACH_OF(damages) damages, sizeof damages / sizeof *damages

TEST("a head that is none is not opened, and says why")
{
    static const struct damage damages[] = {
        {"empty", empty, -ENODATA},
        {"a byte short", shorten, PORTMAP_ETORN},
        {"gone", drop, -ENOENT},
        {"link", replace_by_link, -ELOOP},
        {"FIFO", replace_by_fifo, PORTMAP_EFOREIGN},
        {"directory", replace_by_directory, -EISDIR},
        {"another's", give_away, PORTMAP_EFOREIGN},
        {"more than the file has", claim_many, PORTMAP_ETORN},
    };
    enter_new_directory();
    open_damaged(EACH_OF(damages), plain, NULL, false);
}

TEST("a head of zeroes, of another version or of something else is neither opened nor joined")
{
    static const struct damage damages[] = {
        {"zeroes", clear, -ENODATA},
        {"version", change_version, PORTMAP_ETORN},
        {"size", change_size, PORTMAP_ETORN},
    };
    static const struct damage magic[] = {{"magic", change_magic, PORTMAP_ETORN}};
    enter_new_directory();
    open_damaged(EACH_OF(damages), plain, NULL, true);
    open_damaged(EACH_OF(damages), late, NULL, true);
    for (unsigned i = 0; i < 20; i++)
        open_damaged(EACH_OF(magic), plain, NULL, true);
}

TEST("a head that lost its late part is torn")
{
    static const struct damage damages[] = {
        {"a byte short", shorten, PORTMAP_ETORN},
        {"half", halve, PORTMAP_ETORN},
    };
    static const struct damage claims[] = {{"late", claim_late, PORTMAP_ETORN}};
    enter_new_directory();
    open_damaged(EACH_OF(damages), late, NULL, false);
    open_damaged(EACH_OF(claims), plain, NULL, false);
}

TEST("notes that are none are not opened, and say why")
{
    static const struct damage damages[] = {
        {"empty", empty, -ENODATA},
        {"a byte short", shorten, PORTMAP_ETORN},
        {"gone", drop, -ENOENT},
        {"link", replace_by_link, -ELOOP},
        {"FIFO", replace_by_fifo, PORTMAP_EFOREIGN},
        {"directory", replace_by_directory, -EISDIR},
        {"another's", give_away, PORTMAP_EFOREIGN},
    };
    struct map map;
    enter_new_directory();
    open_damaged(EACH_OF(damages), plain, "map", false);
    open_damaged(EACH_OF(damages), discover, "map", false);
    check(system("rm -rf 0123456789abcd") == 0 && mkdir(run_path, 0711) == 0, "%m");
    equal(create(&map, run_id, plain), 0);
    files_close(&map);
    claim_discovering(head_path);
    equal(error_of_opening(), PORTMAP_ETORN); /* the notes are too few for that */
}

TEST("late tables that are none are not opened, and say why")
{
    static const struct damage damages[] = {
        {"empty", empty, -ENODATA},
        {"a byte short", shorten, PORTMAP_ETORN},
        {"gone", drop, -ENOENT},
        {"link", replace_by_link, -ELOOP},
        {"FIFO", replace_by_fifo, PORTMAP_EFOREIGN},
        {"directory", replace_by_directory, -EISDIR},
        {"another's", give_away, PORTMAP_EFOREIGN},
    };
    enter_new_directory();
    open_damaged(EACH_OF(damages), late, ".late", false);
}

TEST("texts that are none are not opened, and say why")
{
    static const struct damage damages[] = {
        {"empty", empty, -ENODATA},
        {"a byte short", shorten, PORTMAP_ETORN},
        {"gone", drop, -ENOENT},
        {"link", replace_by_link, -ELOOP},
        {"zeroes", clear, PORTMAP_ETORN},
        {"directory", replace_by_directory, PORTMAP_EFOREIGN},
        {"another's", give_away, PORTMAP_EFOREIGN},
        {"long", lengthen_much, PORTMAP_ETORN},
    };
    enter_new_directory();
    open_damaged(EACH_OF(damages), plain, "texts", false);
}

TEST("where there is no run none is opened, nor through a link")
{
    struct map *map = make(plain), opened;
    equal(files_open(&opened, AT_FDCWD, "none"), -ENOENT);
    check(symlink(run_path, "link") == 0, "%m");
    equal(files_open(&opened, AT_FDCWD, "link"), -ENOTDIR);
    int fd = open(run_path, O_PATH | O_DIRECTORY);
    equal(files_open(&opened, fd, "."), 0);
    equal(opened.head->run_id, map->head->run_id);
}

TEST("what is no head, or not there, is not joined, and nothing is left open")
{
    struct map *map = make(plain), other;
    unsigned before = open_files();
    int judge;
    equal(files_join(&other, "", &judge), -ENAMETOOLONG);
    equal(files_join(&other, in_directory("none/%s", secret), &judge), -ENOENT);
    symlink(head_path, in_directory("%s/link", run_path));
    equal(files_join(&other, in_directory("%s/link", run_path), &judge), -ELOOP);
    equal(files_join(&other, in_directory("%s/map", run_path), &judge), -ENODATA);
    equal(open_files(), before);
    equal(map->head->run_id, run_id);
}

TEST("a run that ended is not joined, but looked at by its owner")
{
    struct map *map = make(plain), other;
    char path[PATH_MAX];
    int judge;
    atomic_store(&map->head->life, run_id << 8 | MAP_DEAD);
    equal(error_of_joining(), PORTMAP_EENDED);
    equal(files_join_own(&other, run_path, path, &judge), PORTMAP_EENDED);
    equal(error_of_opening(), 0);
    equal(files_open(&other, AT_FDCWD, run_path), 0);
    equal(files_stay(&other), PORTMAP_EENDED);
}

TEST("a head that is another run's by now is not joined: by its life word, by its directory's name")
{
    struct map *map = make(plain), other;
    int judge;
    atomic_store(&map->head->life, (run_id + 1) << 8 | MAP_LIVES);
    equal(error_of_joining(), PORTMAP_EENDED);
    atomic_store(&map->head->life, (run_id + 1) << 8 | MAP_DEAD);
    equal(error_of_joining(), PORTMAP_EENDED);
    atomic_store(&map->head->life, run_id << 8 | MAP_LIVES);
    equal(error_of_joining(), 0);
    check(rename(run_path, "0123456789abce") == 0, "%m");
    equal(files_join(&other, in_directory("0123456789abce/%s", secret), &judge), PORTMAP_EENDED);
    struct run run;
    check(realpath("0123456789abce", run.path) != NULL, "%m");
    equal(run_open(&run), PORTMAP_EENDED);
    check(rename("0123456789abce", ".0123456789abcd") == 0, "%m"); /* a draft, whose maker may join it */
    equal(files_join(&other, in_directory(".0123456789abcd/%s", secret), &judge), 0);
    files_close(map);
}

static void *let_live(void *map)
{
    usleep(100000);
    atomic_store(&((struct map *)map)->head->life, run_id << 8 | MAP_LIVES);
    return NULL;
}

static void *let_die(void *map)
{
    usleep(100000);
    atomic_store(&((struct map *)map)->head->life, run_id << 8 | MAP_DEAD);
    return NULL;
}

TEST("who joins while somebody decides whether the run is over is there with the decision")
{
    static const struct {
        void *(*decide)(void *);
        int error;
    } decisions[] = {{let_live, 0}, {let_die, PORTMAP_EENDED}};
    struct map *map = make(plain);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned stays = 0; stays < 2; stays++) {
            struct map other;
            pthread_t thread;
            int error, tries = 5;
            do { /* a stall of the machine may be longer than anybody waits for a decision */
                atomic_store(&map->head->life, run_id << 8 | MAP_LIVES);
                equal(files_open(&other, AT_FDCWD, run_path), 0);
                atomic_store(&map->head->life, run_id << 8 | MAP_DECIDING);
                check(pthread_create(&thread, NULL, decisions[i].decide, map) == 0, "no thread");
                error = stays ? files_stay(&other) : error_of_joining();
                pthread_join(thread, NULL);
                files_close(&other);
            } while (error == PORTMAP_EUNDECIDED && --tries > 0);
            equal(error, decisions[i].error);
        }
}

TEST("who joins while nobody goes on to decide is told who does not, after a second")
{
    struct map *map = make(plain), other;
    int judge = 0;
    atomic_store(&map->head->judge, 4711);
    atomic_store(&map->head->life, run_id << 8 | MAP_DECIDING);
    unsigned files = open_files();
    uint64_t before = process_clock();
    equal(files_join(&other, head_path, &judge), PORTMAP_EUNDECIDED);
    check(process_clock() - before >= FILES_DECIDE, "it does not wait");
    equal(judge, 4711);
    equal(open_files(), files);
    atomic_store(&map->head->life, run_id << 8 | MAP_LIVES);
    equal(files_join(&other, head_path, &judge), 0);
}

TEST("a process of the run is seen as long as it has the head mapped, with no descriptor")
{
    struct map *map = make(late), joined, more;
    equal(lock_seen(), F_RDLCK); /* the maker */
    equal(join(&joined), 0);
    files_close(map);
    equal(lock_seen(), F_RDLCK);
    equal(join(&more), 0);
    files_close(&joined);
    equal(lock_seen(), F_RDLCK);
    files_close(&more);
    equal(lock_seen(), F_UNLCK);
}

TEST("who was refused is not seen")
{
    struct map *map = make(plain), other;
    int judge;
    atomic_store(&map->head->life, run_id << 8 | MAP_DEAD);
    files_close(map);
    equal(files_join(&other, head_path, &judge), PORTMAP_EENDED);
    equal(lock_seen(), F_UNLCK);
}

TEST("an owner's command that looks is not seen, one that stays is")
{
    struct map *map = make(plain), opened;
    files_close(map);
    equal(files_open(&opened, AT_FDCWD, run_path), 0);
    equal(lock_seen(), F_UNLCK);
    equal(files_stay(&opened), 0);
    equal(lock_seen(), F_RDLCK);
    files_close(&opened);
    equal(lock_seen(), F_UNLCK);
}

/* What became of a joined process. */
static int to_child[2], from_child[2];

static void wait_for(int fd)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

static void keep_the_map(void)
{
}

static void close_descriptors(void)
{
    int keep_in = dup2(to_child[0], 200), keep_out = dup2(from_child[1], 201);
    for (int fd = 3; fd < 200; fd++)
        close(fd);
    to_child[0] = keep_in;
    from_child[1] = keep_out;
}

static void become_nobody(void)
{
    close_descriptors();
    if (geteuid() == 0)
        check(chroot("/proc/self/fdinfo") == 0 && setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
                  setuid(NOBODY) == 0,
              "%m");
}

static void execute(void)
{
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    close_descriptors();
    close(200);
    close(201);
    execl("/bin/sh", "sh", "-c", "echo; read -r nothing; exit 0", NULL);
    _exit(1);
}

TEST(
    "a forked child is seen when its parent has left, without descriptors, after chroot and setuid, until it "
    "ends or executes a program")
{
    static const struct {
        void (*does)(void);
        int seen;
    } children[] = {
        {keep_the_map, F_RDLCK}, {close_descriptors, F_RDLCK}, {become_nobody, F_RDLCK}, {execute, F_UNLCK}};
    struct map *map = make(late);
    files_close(map);
    for (unsigned i = 0; i < 4; i++) {
        struct map joined;
        int status;
        equal(join(&joined), 0);
        check(pipe(to_child) == 0 && pipe(from_child) == 0, "%m");
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            close(to_child[1]);
            children[i].does();
            check(write(from_child[1], "", 1) == 1, "%m");
            wait_for(to_child[0]);
            _exit(0);
        }
        files_close(&joined);
        close(to_child[0]);
        close(from_child[1]);
        wait_for(from_child[0]);
        equal(lock_seen(), children[i].seen);
        close(to_child[1]);
        close(from_child[0]);
        check(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "%d", status);
        equal(lock_seen(), F_UNLCK);
    }
}

/* Fills all that a run can write with something. */
static void leave_traces(struct map *map)
{
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        assign(map, 1 + i, 30000 + i, PORTMAP_BOTH);
    memset(map->notes, 0xff, map->head->discover ? sizeof *map->large_notes : sizeof *map->notes);
    if (map->late != NULL) {
        memset(map->late, 0xff, sizeof *map->late);
        memset(map->head->late, 0xff, sizeof *map->head - offsetof(struct map_head, late));
    }
    map->head->reveal = map->head->strict = map->head->required = 1;
    atomic_store(&map->head->ready, 1);
    atomic_store(&map->head->dead_since, 1);
    atomic_store(&map->head->late_published, 1);
    atomic_store(&map->head->alias_count, 1);
    atomic_store(&map->head->life, run_id << 8 | MAP_DEAD);
}

static void check_without_traces(struct map *map)
{
    struct sighting_name nobody = sighting_program_name(map, 0);
    equal(map->head->run_id, run_id + 1);
    equal(atomic_load(&map->head->life), (run_id + 1) << 8 | MAP_LIVES);
    equal(map->head->reveal + map->head->strict + map->head->required, 0);
    equal(atomic_load(&map->head->ready), 0);
    equal(atomic_load(&map->head->dead_since), 0);
    equal(atomic_load(&map->head->late_published), 0);
    equal(atomic_load(&map->head->alias_count), 0);
    equal(map_start_count(map), 0);
    for (unsigned port = 0; port < PORT_COUNT; port++)
        check(map_to_kernel(map, port) == 0 && map_to_program(map, port) == 0 &&
                  map_protocols(map, port) == 0 && map_late_protocols(map, port) == 0 &&
                  !map_late_is_listed(map, port) && !map_was_bound(map, port) && !map_was_given(map, port),
              "%u", port);
    check(!map_any_bound(map), "bound");
    for (unsigned i = 0; i < MAP_STOCK; i++)
        equal(map_stock(map, i), 0);
    equal(map_log_next(map), 0);
    for (unsigned i = 0; i < map_log_size(map); i++)
        equal(map_log_record(map, i).event, MAP_EVENT_NONE);
    equal(sighting_get(map, 0).kind, SIGHTING_NONE);
    equal_text(nobody.text, "");
    equal(atomic_load(&map->notes->execs) + atomic_load(&map->notes->unreached), 0);
    equal(map_generation(map), 0);
}

TEST("over the files of a run that is over another one is made, with nothing left of that")
{
    static const struct files_kind kinds[] = {{.late = false}, {.late = true}, {.discover = true}};
    for (unsigned was = 0; was < 3; was++)
        for (unsigned is = 0; is < 3; is++) {
            struct map *map = malloc(sizeof *map), old, joined;
            if (was + is == 0)
                enter_new_directory();
            check(system("rm -rf 0123456789abcd 0123456789abce") == 0 && mkdir(run_path, 0711) == 0, "%m");
            equal(create(&old, run_id, kinds[was]), 0);
            leave_traces(&old);
            files_close(&old);
            /* As a run that is taken over: its head gets a new name, in the same directory. */
            char path[PATH_MAX], before[SECRET_SIZE];
            snprintf(path, sizeof path, "%s", head_path);
            snprintf(before, sizeof before, "%s", secret);
            equal(files_secret(secret), 0);
            snprintf(head_path, sizeof head_path, "%s", in_directory("%s/%s", run_path, secret));
            check(rename(path, head_path) == 0, "%m");
            int fd = open(run_path, O_RDONLY | O_DIRECTORY);
            equal(files_create(map, fd, run_id + 1, secret, kinds[is]), 0);
            texts_begin(&texts, run_id + 1, secret);
            equal(texts_write(&texts, map, fd), 0);
            close(fd);
            check_without_traces(map);
            equal(map->late != NULL, kinds[is].late);
            for (unsigned i = 0; i < MAP_START_MAX; i++)
                assign(map, 60000 - i, 20000 + i, PORTMAP_BOTH);
            equal(map_real(map, 60000 - MAP_START_MAX + 1), 20000 + MAP_START_MAX - 1);
            equal(mode_of(head_path), 0644);
            equal(mode_of(file_named("map")), 0600);
            equal(mode_of(file_named("texts")), 0600);
            /* The directory still has the name of the other run. */
            equal(error_of_joining(), PORTMAP_EENDED);
            check(rename(run_path, "0123456789abce") == 0, "%m");
            int judge;
            equal(files_join(&joined, in_directory("0123456789abce/%s", secret), &judge), 0);
            equal(map_real(&joined, 60000), 20000);
            check(strcmp(before, secret) != 0, "the same secret");
            files_close(&joined);
            files_close(map);
            free(map);
        }
}

static struct map *nobodys_run;

static void be_nobody(void)
{
    check(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0, "%m");
}

static void join_as_nobody(void)
{
    struct map map, other;
    char path[PATH_MAX];
    uint32_t entry = 0;
    int judge;
    be_nobody();
    equal(join(&map), 0);
    check(map.notes == NULL && map.large_notes == NULL, "nobody has the notes");
    equal(map.late != NULL, nobodys_run->head->has_late);
    equal(map_real(&map, 8080), 20000);
    equal(map_entry_port(map_to_program(&map, 20000)), 8080);
    map_note_bound(&map, 8080);
    map_note_exec(&map);
    map_note_unreached(&map);
    map_wake(&map);
    map_log(&map, MAP_EVENT_ATTACH, 1, 0, 0, 0);
    equal(map_log_next(&map), 0);
    equal(map_log_size(&map), 0);
    equal(map_log_record(&map, 0).event, MAP_EVENT_NONE);
    map_was_joined(&map, 0);
    map_any_bound(&map);
    sighting_note(&map, (struct sighting){.kind = SIGHTING_BIND, .port = 1});
    equal(sighting_program(&map, 1, 2, "server"), SIGHTING_UNKNOWN);
    map_note_given(&map, EPHEMERAL_FIRST);
    if (map.late != NULL) {
        check(map_take_late(&map, 9090, &entry), "the stock is empty");
        entry = 0;
        check(map_choose_late(&map, 9091, EPHEMERAL_LAST, &entry), "it is taken");
        check(map_was_given(&map, EPHEMERAL_FIRST), "not noted");
    } else {
        check(!map_take_late(&map, 9090, &entry) && entry == 0, "late");
        check(!map_choose_late(&map, 9090, EPHEMERAL_LAST, &entry) && entry == 0, "late");
        check(!map_alias_late(&map, EPHEMERAL_FIRST), "late");
        equal(map_share_late(&map, 9090), 0);
        equal(map_late_protocols(&map, 9090), 0);
    }
    /* What nobody may not do. */
    equal(files_open(&other, AT_FDCWD, run_path), -EACCES);
    equal(files_join_own(&other, run_path, path, &judge), -EACCES);
    check(open(head_path, O_RDWR) < 0 && errno == EACCES, "the head can be written");
    check(opendir(run_path) == NULL && errno == EACCES, "the secret can be read");
}

TEST("who may not open the notes joins without them, and assigns late placeholders as others do")
{
    static const struct files_kind kinds[] = {{.late = false}, {.late = true}, {.discover = true}};
    if (!is_root())
        return;
    for (unsigned i = 0; i < 3; i++) {
        if (i == 0)
            enter_new_directory();
        check(system("rm -rf 0123456789abcd") == 0 && mkdir(run_path, 0711) == 0 &&
                  chmod(run_path, 0711) == 0,
              "%m");
        struct map *map = malloc(sizeof *map);
        equal(create(map, run_id, kinds[i]), 0);
        set_ephemeral(map, EPHEMERAL_FIRST, EPHEMERAL_LAST);
        assign(map, 8080, 20000, PORTMAP_BOTH);
        if (kinds[i].late) {
            list_late(map, 9090, PORTMAP_BOTH, BY_NUMBER);
            list_late(map, 9091, PORTMAP_BOTH, BY_NUMBER);
            check(put_in_stock(map, 20001), "full");
        }
        nobodys_run = map;
        equal(in_child(join_as_nobody), 0);
        equal(map_real(map, 9090), kinds[i].late ? 20001 : 0);
        equal(map_real(map, 9091), kinds[i].late ? EPHEMERAL_LAST : 0);
        equal(map_was_bound(map, 8080), kinds[i].late);
        files_close(map);
    }
}

static void join_without_late(void)
{
    struct map map;
    uint32_t entry = 0;
    be_nobody();
    equal(join(&map), 0);
    check(map.late == NULL && map.notes == NULL, "they are open");
    equal(map_real(&map, 8080), 20000);
    equal(map_real(&map, 9090), 0);
    equal(map_protocols(&map, 9090), 0);
    equal(map_stock(&map, 0), 0);
    map_note_bound(&map, 9090);
    map_note_bound(&map, 8080);
    check(!map_was_bound(&map, 8080) && !map_any_bound(&map), "bound");
    check(!map_stock_put(&map, 20001) && !map_stock_remove(&map, 20000), "the stock");
    check(!map_take_late(&map, 9090, &entry) && !map_enter_late(&map, 9090, 20001, &entry), "late");
    check(!map_enter_alias(&map, 9090, 20002, 0) && !map_was_given(&map, 9090), "an alias");
    equal(map_share_late(&map, 9090), 0);
    check(!map_late_is_listed(&map, 9090), "listed");
}

TEST("who may not open the late tables either has what was known at start")
{
    if (!is_root())
        return;
    struct map *map = make(late);
    check(chmod(late_path(), 0600) == 0 && chmod(run_path, 0711) == 0, "%m");
    assign(map, 8080, 20000, PORTMAP_BOTH);
    list_late(map, 9090, PORTMAP_BOTH, BY_NUMBER);
    put_in_stock(map, 20001);
    equal(in_child(join_without_late), 0);
    equal(map_real(map, 9090), 0);
}

TEST("when a file cannot be made nothing stays open or locked, and no signal comes")
{
    struct map *map = make(plain), other;
    const struct rlimit small = {100, 100};
    files_close(map);
    check(unlink(file_named("map")) == 0 && mkdir(file_named("map"), 0700) == 0, "%m");
    unsigned before = open_files();
    equal(create(&other, run_id, plain), -EISDIR);
    check(other.fd == -1 && other.head == NULL && other.notes == NULL, "something is left");
    equal(lock_seen(), F_UNLCK);
    check(rmdir(file_named("map")) == 0, "%m");
    check(setrlimit(RLIMIT_FSIZE, &small) == 0, "%m");
    equal(create(&other, run_id, late), -EFBIG);
    check(other.fd == -1 && other.head == NULL && other.notes == NULL && other.late == NULL,
          "something is left");
    equal(open_files(), before);
}

static void fill_the_disk(void)
{
    struct map map;
    char bytes[MAP_PAGE] = {0};
    check(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "%m");
    check(mkdir("disk", 0755) == 0 && mount("tmpfs", "disk", "tmpfs", 0, "size=64k") == 0 &&
              chdir("disk") == 0,
          "%m");
    snprintf(directory, sizeof directory, "."); /* the child's own: it does not clear up */
    check(mkdir(run_path, 0711) == 0, "%m");
    equal(create(&map, run_id, late), -ENOSPC);
    check(system("rm -rf *") == 0 && mkdir(run_path, 0711) == 0, "%m");
    equal(create(&map, run_id, plain), 0);
    int fd = open("filling", O_WRONLY | O_CREAT, 0600);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    equal(errno, ENOSPC);
    for (unsigned i = 0; i < 484; i++)
        assign(&map, 1 + i, 20000 + i, PORTMAP_BOTH);
    equal(map_assign(&map, 10000, 30000, PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT), -ENOSPC);
    equal(map_start_count(&map), 484);
    equal(map_real(&map, 10000), 0);
    map_note_bound(&map, 1);
    map_log(&map, MAP_EVENT_ATTACH, 1, 0, 0, 0);
    check(ftruncate(fd, 0) == 0, "%m");
    assign(&map, 10000, 30000, PORTMAP_BOTH);
    equal(map_real(&map, 10000), 30000);
}

TEST("on a full disk a run is not made, and one that is there is not added to, but goes on")
{
    if (!is_root())
        return;
    enter_new_directory();
    int status = in_child(fill_the_disk);
    equal(status, 0);
}
