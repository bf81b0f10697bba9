#include "run/files.h"

#include "base/file.h"
#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "lease/pool.h"
#include "run/rundir.h"
#include "run/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static const char magic[8] = "pshead\n\x1a";

static const char late_ending[] = ".late";

enum { LATE_NAME_SIZE = SECRET_SIZE + sizeof late_ending };

static void late_name(char name[static LATE_NAME_SIZE], const char *secret)
{
    struct text t = text_in(name, LATE_NAME_SIZE);
    text_str(&t, secret);
    text_str(&t, late_ending);
}

int files_secret(char secret[static SECRET_SIZE])
{
    uint64_t random[2];
    struct text t = text_in(secret, SECRET_SIZE);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -errno;
    text_hex(&t, random[0], 16);
    text_hex(&t, random[1], 16);
    return 0;
}

static size_t notes_size(bool discover)
{
    size_t size = discover ? sizeof(struct map_large_notes) : sizeof(struct map_notes);
    return (size + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;
}

/* Maps an open file and closes it. NULL and errno when that fails. */
static void *map_and_close(int fd, size_t size, int protection)
{
    void *mapped = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    int error = errno;
    close(fd);
    errno = error;
    return mapped == MAP_FAILED ? NULL : mapped;
}

static bool lock_head(int fd)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

static void describe(struct map_head *head, uint64_t run_id, struct files_kind kind)
{
    struct ephemeral_range ephemeral = pool_ephemeral_range();
    memset(head, 0, offsetof(struct map_head, start));
    head->version = MAP_VERSION;
    head->size = sizeof *head;
    head->run_id = run_id;
    head->starter = getpid();
    head->starter_start_time = process_start_time(getpid());
    head->pid_namespace = kind.pid_namespace != 0 ? kind.pid_namespace : process_pid_namespace();
    head->net_namespace = kind.net_namespace != 0 ? kind.net_namespace : process_net_namespace();
    head->uid = kernel_euid();
    head->created = process_clock();
    head->discover = kind.discover;
    head->has_late = kind.late;
    head->ephemeral_first = (uint16_t)ephemeral.first;
    head->ephemeral_last = (uint16_t)ephemeral.last;
    memcpy(head->magic, magic, sizeof magic);
    atomic_store(&head->life, run_id << MAP_LIFE_BITS | MAP_LIVES);
}

/* Opens a file to be written, or makes it, with space for `size` bytes and with this mode. When a dead run's
 * file is taken over there is nothing to change. Returns the descriptor or a negated errno. */
static int share_file(int run_dir, const char *name, size_t size, mode_t mode)
{
    struct stat st;
    int fd = file_share(run_dir, name);
    if (fd < 0)
        return fd;
    int error = file_look(fd, &st);
    if (error == 0 && st.st_size < (off_t)size)
        error = file_allocate(fd, size);
    if (error == 0 && (st.st_mode & 0777) != mode && fchmod(fd, mode) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static int create_head(struct map *map, int run_dir, const char *secret, bool late)
{
    const size_t at = offsetof(struct map_head, late), late_size = sizeof *map->head - at;
    int fd = share_file(run_dir, secret, MAP_PAGE, 0644);
    if (fd < 0)
        return fd;
    int error = late ? file_allocate_from(fd, at, late_size) : 0;
    if (error == 0 && !lock_head(fd))
        error = -errno;
    void *head =
        error == 0 ? mmap(NULL, sizeof *map->head, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (head == MAP_FAILED) {
        error = error == 0 ? -errno : error;
        close(fd);
        return error;
    }
    map->head = head;
    map->fd = fd;
    if (late)
        memset((char *)head + at, 0, late_size);
    return 0;
}

static int create_notes(struct map *map, int run_dir, bool discover)
{
    size_t size = notes_size(discover);
    map->has_large_notes = discover;
    int fd = share_file(run_dir, "map", size, 0600);
    if (fd < 0)
        return fd;
    map->notes = map_and_close(fd, size, PROT_READ | PROT_WRITE);
    if (map->notes == NULL)
        return -errno;
    memset(map->notes, 0, size);
    return 0;
}

static int create_late(struct map *map, int run_dir, const char *secret)
{
    char name[LATE_NAME_SIZE];
    late_name(name, secret);
    int fd = file_create(run_dir, name);
    if (fd < 0)
        return fd;
    int error = file_allocate(fd, sizeof *map->late);
    if (error == 0 && fchmod(fd, 0666) < 0)
        error = -errno;
    if (error != 0) {
        close(fd);
        return error;
    }
    map->late = map_and_close(fd, sizeof *map->late, PROT_READ | PROT_WRITE);
    return map->late == NULL ? -errno : 0;
}

int files_create(struct map *map, int run_dir, uint64_t run_id, const char *secret, struct files_kind kind)
{
    *map = (struct map){.fd = -1};
    int error = create_head(map, run_dir, secret, kind.late);
    if (error == 0) {
        error = create_notes(map, run_dir, kind.discover);
    }
    if (error == 0 && kind.late)
        error = create_late(map, run_dir, secret);
    if (error == 0)
        describe(map->head, run_id, kind);
    else
        files_close(map);
    return error;
}

bool files_keep_locks(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) == 0 && system.f_type != OVERLAYFS_SUPER_MAGIC;
}

/* The kernel gives a lease for writing to those who alone have the file open; a mapping counts as that.
 * Whoever opens it in that moment causes a signal, SIGIO if no other is named, which would end this process.
 * The lease is given back rather than closed: a child that another thread forks has the descriptor, too. */
static bool is_free(int run_dir, const char *name)
{
    int fd = openat(run_dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool free = fd >= 0 && files_keep_locks(fd) && fcntl(fd, F_SETSIG, SIGURG) == 0 &&
                fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
    if (fd >= 0)
        close(fd);
    return free;
}

bool files_are_free(int run_dir, const char *secret)
{
    return is_free(run_dir, secret) && is_free(run_dir, "map");
}

/* 0 for a regular file of this user that has at least `size` bytes. */
static int check_file(int fd, size_t size)
{
    struct stat st;
    int error = file_look_written(fd, &st);
    return error == 0 && st.st_size < (off_t)size ? PORTMAP_ETORN : error;
}

/* Opens a file of this user to be written. Returns the descriptor or an error. */
static int open_own(int dir, const char *name, size_t size)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* see is_free() */
    if (fd < 0)
        return -errno;
    int error = check_file(fd, size);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int files_check_head(const struct map_head *head)
{
    if (head->magic[0] == '\0')
        return -ENODATA;
    bool ours = memcmp(head->magic, magic, sizeof magic) == 0 && head->version == MAP_VERSION &&
                head->size == sizeof *head;
    return ours ? 0 : PORTMAP_ETORN;
}

/* The same for one that may have lost its end: 0 when the file is as long as what the head says to be in it.
 */
static int check_whole_head(const struct map_head *head, int fd)
{
    uint32_t count = atomic_load(&head->start_count);
    size_t size =
        offsetof(struct map_head, start) + (count < MAP_START_MAX ? count : MAP_START_MAX) * sizeof(uint64_t);
    int error = files_check_head(head);
    return error == 0 ? check_file(fd, head->has_late ? sizeof *head : size) : error;
}

static int open_head(struct map *map, int run_dir, const char *secret)
{
    map->fd = open_own(run_dir, secret, MAP_PAGE);
    if (map->fd < 0)
        return map->fd;
    void *head = mmap(NULL, sizeof *map->head, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
    if (head == MAP_FAILED)
        return -errno;
    map->head = head;
    return check_whole_head(map->head, map->fd);
}

static int open_rest(struct map *map, int run_dir, const char *secret)
{
    char name[LATE_NAME_SIZE];
    map->has_large_notes = map->head->discover;
    size_t size = notes_size(map->has_large_notes);
    int fd = open_own(run_dir, "map", size);
    if (fd >= 0)
        map->notes = map_and_close(fd, size, PROT_READ | PROT_WRITE);
    if (fd < 0 || map->notes == NULL)
        return fd < 0 ? fd : -errno;
    if (!map->head->has_late)
        return 0;
    late_name(name, secret);
    fd = open_own(run_dir, name, sizeof *map->late);
    if (fd >= 0)
        map->late = map_and_close(fd, sizeof *map->late, PROT_READ | PROT_WRITE);
    return fd < 0 ? fd : map->late == NULL ? -errno : 0;
}

/* Opens the texts. A run of version 0.1 has none, but one file that is larger than any notes. */
static int open_texts(struct map *map, int dir, const char *run)
{
    char name[PATH_MAX];
    struct text t = text_in(name, sizeof name);
    struct stat st;
    int error = texts_open(map, dir, run);
    text_str(&t, run);
    text_str(&t, "/map");
    bool of_0_1 = error == -ENOENT && !t.cut && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                  st.st_size > (off_t)notes_size(true);
    return of_0_1 ? PORTMAP_ETORN : error;
}

int files_open(struct map *map, int dir, const char *run)
{
    *map = (struct map){.fd = -1};
    int run_dir = openat(dir, run, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (run_dir < 0)
        return -errno;
    int error = open_texts(map, run_dir, ".");
    const char *secret = texts_get(map, TEXT_SECRET, 0);
    if (error == 0)
        error = secret != NULL ? open_head(map, run_dir, secret) : PORTMAP_ETORN;
    if (error == 0)
        error = open_rest(map, run_dir, secret);
    close(run_dir);
    if (error != 0)
        files_close(map);
    return error;
}

/* The run's id in the path of its head; 0 when the directory's name is none. */
static uint64_t id_in(const char *path, size_t directory)
{
    char name[RUNDIR_NAME_SIZE];
    struct text t = text_in(name, sizeof name);
    size_t begin = directory;
    uint64_t run_id;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    text_bytes(&t, path + begin, directory - begin);
    return rundir_id(name, &run_id) ? run_id : 0;
}

/* Whether the run may be joined. Our lock is there already: whoever decides now sees it. */
static int check_life(const struct map_head *head, uint64_t run_id, int *judge)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t life, deadline = 0;
    while (map_life_run(life = atomic_load(&head->life)) == head->run_id &&
           map_life_state(life) == MAP_DECIDING) {
        uint64_t now = process_clock();
        deadline = deadline == 0 ? now + FILES_DECIDE : deadline;
        *judge = atomic_load(&head->judge);
        if (now > deadline)
            return PORTMAP_EUNDECIDED;
        nanosleep(&pause, NULL);
    }
    bool same = map_life_run(life) == head->run_id && (run_id == 0 || run_id == head->run_id);
    return same && map_life_state(life) == MAP_LIVES ? 0 : PORTMAP_EENDED;
}

/* A supervisor joins the runs that its programs name, and must not wait for what lies there instead. */
enum { JOIN_FLAGS = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC };

/* Leaves the descriptor in map->fd. */
static int join_head(struct map *map, const char *path, bool check_size)
{
    int fd = map->fd = open(path, O_RDONLY | JOIN_FLAGS);
    if (fd < 0)
        return -errno;
    lock_head(fd); /* without a lock, as on some network file systems, the starter alone keeps the run */
    int error = check_size ? check_file(fd, MAP_PAGE) : 0;
    void *head = error == 0 ? mmap(NULL, sizeof *map->head, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (head != MAP_FAILED) {
        map->head = head;
        error = check_size ? check_whole_head(map->head, fd) : files_check_head(map->head);
    } else if (error == 0) {
        error = -errno;
    }
    return error;
}

/* Maps the late tables, if this process may write them. A process of another user may have cut them short. */
static struct map_late *join_late(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDWR | JOIN_FLAGS);
    if (fd < 0)
        return NULL;
    if (kernel_stat(fd, "", AT_EMPTY_PATH, &st) == 0 && st.st_size >= (off_t)sizeof(struct map_late))
        return map_and_close(fd, sizeof(struct map_late), PROT_READ | PROT_WRITE);
    close(fd);
    return NULL;
}

/* Maps the notes and closes their file, and that of the head with it. */
static void join_notes(struct map *map, const char *path)
{
    map->has_large_notes = map->head->discover;
    size_t size = notes_size(map->has_large_notes);
    int fd = open(path, O_RDWR | JOIN_FLAGS);
    if (fd < 0 && errno == EMFILE) { /* one descriptor was left */
        kernel_close(map->fd);
        map->fd = -1;
        fd = open(path, O_RDWR | JOIN_FLAGS);
    }
    void *notes = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map->notes = notes == MAP_FAILED ? NULL : notes;
    kernel_close_both(map->fd, fd);
    map->fd = -1;
}

static void join_rest(struct map *map, const char *path, size_t directory)
{
    char other[PATH_MAX];
    struct text notes = text_in(other, sizeof other);
    text_bytes(&notes, path, directory);
    text_str(&notes, "/map");
    join_notes(map, other);
    if (!map->head->has_late)
        return;
    struct text late = text_in(other, sizeof other);
    text_str(&late, path);
    text_str(&late, late_ending);
    map->late = join_late(other);
}

static int join(struct map *map, const char *path, int *judge, bool check_size)
{
    const char *slash = strrchr(path, '/');
    *map = (struct map){.fd = -1};
    if (slash == NULL || strlen(path) + sizeof late_ending > PATH_MAX)
        return -ENAMETOOLONG;
    int error = join_head(map, path, check_size);
    if (error == 0)
        error = check_life(map->head, id_in(path, (size_t)(slash - path)), judge);
    if (error == 0)
        join_rest(map, path, (size_t)(slash - path));
    else
        files_close(map);
    return error;
}

int files_join(struct map *map, const char *path, int *judge)
{
    return join(map, path, judge, false);
}

int files_join_own(struct map *map, const char *run, char path[static PATH_MAX], int *judge)
{
    struct text t = text_in(path, PATH_MAX);
    *map = (struct map){.fd = -1};
    int error = open_texts(map, AT_FDCWD, run);
    const char *secret = texts_get(map, TEXT_SECRET, 0);
    text_str(&t, run);
    text_char(&t, '/');
    text_str(&t, secret != NULL ? secret : "");
    files_close(map);
    if (error == 0)
        error = secret == NULL ? PORTMAP_ETORN : t.cut ? -ENAMETOOLONG : 0;
    return error == 0 ? join(map, path, judge, true) : error;
}

int files_stay(struct map *map)
{
    int judge;
    lock_head(map->fd);
    return check_life(map->head, 0, &judge);
}

void files_close(struct map *map)
{
    if (map->fd >= 0)
        close(map->fd);
    if (map->notes != NULL)
        munmap(map->notes, notes_size(map->has_large_notes));
    if (map->late != NULL)
        munmap(map->late, sizeof *map->late);
    if (map->head != NULL)
        munmap(map->head, sizeof *map->head);
    texts_close(map);
    *map = (struct map){.fd = -1};
}
