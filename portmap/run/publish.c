#include "run/publish.h"
#include "run/texts.h"

#include "base/draft.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The formats of map files, by their ending. */
enum format { FORMAT_PLAIN, FORMAT_ENV, FORMAT_JSON };

/* How a map file begins; the run's directory follows. This tells our files from a user's. */
static const char comment_head[] = "# portshim ", json_head[] = "{\"run\": \"", json_next[] = "\", \"pid\": ";
/* How a .env file of portshim 0.1.0 begins. */
static const char old_env_head[] = "PORTSHIM_RUN=";

/* A file being written through a buffer. */
struct writer {
    int fd;
    int error;
    struct text text;
    char buffer[4096];
};

static void flush(struct writer *w)
{
    if (w->error == 0)
        w->error = file_write(w->fd, w->buffer, w->text.used);
    w->text = text_in(w->buffer, sizeof w->buffer);
}

static void put(struct writer *w, const char *s)
{
    for (; *s != '\0'; s++) {
        if (w->text.used + 1 == w->text.size)
            flush(w);
        text_char(&w->text, *s);
    }
}

static void put_uint(struct writer *w, uint64_t n)
{
    char digits[24];
    struct text t = text_in(digits, sizeof digits);
    text_uint(&t, n);
    put(w, digits);
}

void publish_assigned(const struct map *map, struct portbits *assigned)
{
    uint32_t count = map_start_count(map);
    memset(assigned, 0, sizeof *assigned);
    for (uint32_t i = 0; i < count; i++)
        if (map_start(map, i).real != 0)
            portbits_add(assigned, map_start(map, i).placeholder);
    for (unsigned protocol = 0; map->late != NULL && protocol < 2; protocol++)
        for (unsigned port = 0; (port = portbits_next(&map->head->late[protocol], port)) != 0;)
            if (map_real(map, port) != 0)
                portbits_add(assigned, port);
}

static enum format format_of(const char *file)
{
    const char *ending = strrchr(file, '.');
    if (ending != NULL && strcmp(ending, ".json") == 0)
        return FORMAT_JSON;
    if (ending != NULL && strcmp(ending, ".env") == 0)
        return FORMAT_ENV;
    return FORMAT_PLAIN;
}

static void write_comment(struct writer *w, const char *run_path)
{
    put(w, comment_head);
    put(w, run_path);
    put(w, "\n");
}

static void write_plain(struct writer *w, const struct map *map, const struct portbits *assigned,
                        const char *run_path)
{
    write_comment(w, run_path);
    for (unsigned port = 0; (port = portbits_next(assigned, port)) != 0;) {
        put_uint(w, port);
        put(w, " ");
        put_uint(w, map_real(map, port));
        put(w, "\n");
    }
}

static void write_env(struct writer *w, const struct map *map, const struct portbits *assigned,
                      const char *run_path)
{
    write_comment(w, run_path);
    put(w, "PORTSHIM_RUN=");
    put(w, run_path);
    put(w, "\n");
    for (unsigned port = 0; (port = portbits_next(assigned, port)) != 0;) {
        put(w, "PORTSHIM_PORT_");
        put_uint(w, port);
        put(w, "=");
        put_uint(w, map_real(map, port));
        put(w, "\n");
    }
}

static void write_json(struct writer *w, const struct map *map, const struct portbits *assigned,
                       const char *run_path)
{
    const char *separator = "";
    put(w, json_head);
    put(w, run_path); /* no character in it needs an escape: home_open() sees to that */
    put(w, json_next);
    put_uint(w, (uint64_t)map->head->starter);
    put(w, ", \"ports\": [");
    for (unsigned port = 0; (port = portbits_next(assigned, port)) != 0; separator = ", ") {
        unsigned protocols = map_entry_protocols(map_to_kernel(map, port));
        put(w, separator);
        put(w, "{\"placeholder\": ");
        put_uint(w, port);
        put(w, ", \"real\": ");
        put_uint(w, map_real(map, port));
        put(w, protocols == PORTMAP_BOTH  ? ", \"protocols\": [\"tcp\", \"udp\"]}"
               : protocols == PORTMAP_TCP ? ", \"protocols\": [\"tcp\"]}"
                                          : ", \"protocols\": [\"udp\"]}");
    }
    put(w, "]}\n");
}

static int write_file(int fd, const char *file, const struct map *map, const char *run_path)
{
    struct writer w = {.fd = fd};
    struct portbits assigned;
    publish_assigned(map, &assigned);
    w.text = text_in(w.buffer, sizeof w.buffer);
    switch (format_of(file)) {
    case FORMAT_JSON:
        write_json(&w, map, &assigned, run_path);
        break;
    case FORMAT_ENV:
        write_env(&w, map, &assigned, run_path);
        break;
    case FORMAT_PLAIN:
        write_plain(&w, map, &assigned, run_path);
        break;
    }
    flush(&w);
    return w.error;
}

enum { HEAD_SIZE = PATH_MAX + 64 };

/* Reads the beginning of a regular file. Returns its length, a negated errno or PORTMAP_ENOTFILE. */
static int read_head(const char *file, char head[static HEAD_SIZE])
{
    struct stat st;
    if (stat(file, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode)) /* opening a FIFO may take forever */
        return PORTMAP_ENOTFILE;
    return text_read_file(file, head, HEAD_SIZE);
}

/* Finds the run directory that a map file names. Returns what comes after it; NULL if it is not absolute. */
static const char *parse_head(const char *head, char *path, size_t size)
{
    static const struct {
        const char *before, *end;
    } heads[] = {{comment_head, "\n"}, {old_env_head, "\n"}, {json_head, "\""}};
    for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t before = strlen(heads[i].before), len;
        if (strncmp(head, heads[i].before, before) != 0)
            continue;
        head += before;
        len = strcspn(head, heads[i].end);
        struct text t = text_in(path, size);
        text_bytes(&t, head, len);
        return t.cut || *path != '/' ? NULL : head + len;
    }
    return NULL;
}

int publish_read_run(const char *file, char *path, size_t size)
{
    char head[HEAD_SIZE];
    int len = read_head(file, head);
    if (len < 0)
        return len;
    return parse_head(head, path, size) == NULL ? PORTMAP_ESYNTAX : 0;
}

/* Whether portshim wrote a file. A user's may begin with the same word, but no run's directory comes next. */
static bool is_of_portshim(const char *head)
{
    char path[PATH_MAX];
    uint64_t run_id;
    const char *rest = parse_head(head, path, sizeof path);
    const char *name = rest != NULL ? strrchr(path, '/') : NULL;
    if (name == NULL || !rundir_id(name + 1, &run_id))
        return false;
    return *rest != '"' || strncmp(rest, json_next, strlen(json_next)) == 0;
}

/* 0 when a map file may be written: nothing is there, or it is empty, or portshim wrote it. */
static int check_place(const char *file)
{
    char head[HEAD_SIZE];
    struct stat st;
    if (lstat(file, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    /* A rename would destroy a device or pipe, and cannot replace a directory or /proc/self/fd/1. */
    if (!S_ISREG(st.st_mode))
        return PORTMAP_ENOTFILE;
    if (st.st_size == 0)
        return 0;
    int len = read_head(file, head);
    if (len < 0)
        return len;
    return is_of_portshim(head) ? 0 : PORTMAP_EOTHERS;
}

/* Whether a link is in /proc, as /dev/fd/1 is in the end: an open file, whose name may have changed. */
static bool is_in_proc(int link)
{
    struct statfs fs;
    return fstatfs(link, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/*
 * Whether the link may be a trap: another user made it, in a directory where all may, to have us write
 * elsewhere. The kernel has the same rule for links that it follows itself (proc_sys_fs(5),
 * protected_symlinks).
 */
static bool is_trap(const char *path, int link)
{
    char directory[PATH_MAX];
    struct text t = text_in(directory, sizeof directory);
    struct stat st;
    uid_t owner = kernel_owner(link);
    text_bytes(&t, path, (size_t)(strrchr(path, '/') + 1 - path));
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool trap = fd < 0 || fstat(fd, &st) < 0 ||
                (owner != kernel_euid() && owner != kernel_owner(fd) && (st.st_mode & S_ISVTX) != 0 &&
                 (st.st_mode & S_IWOTH) != 0);
    if (fd >= 0)
        close(fd);
    return trap;
}

/* Where a symbolic link leads. Returns the length; 0 when it is no link, or none to follow; or an error. */
static int read_link(const char *path, char target[static PATH_MAX])
{
    int link = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    *target = '\0';
    if (link < 0) /* an error will come up again when writing */
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
    ssize_t len = is_in_proc(link) ? -1 : readlinkat(link, "", target, PATH_MAX - 1);
    int result = len < 0 ? 0 : is_trap(path, link) ? PORTMAP_EFOREIGN : (int)len;
    close(link);
    if (len > 0)
        target[len] = '\0';
    return result;
}

int publish_path(const char *file, char path[static PATH_MAX])
{
    enum { MOST_LINKS = 40 }; /* the kernel's limit */
    char target[PATH_MAX];
    struct text t = text_in(path, PATH_MAX);
    int error = text_path(&t, file);
    for (unsigned links = 0; error == 0; links++) {
        int len = read_link(path, target);
        if (len <= 0)
            return len;
        if (links == MOST_LINKS)
            return -ELOOP;
        t.used = *target == '/' ? 0 : (size_t)(strrchr(path, '/') + 1 - path);
        text_str(&t, target);
        error = t.cut ? -ENAMETOOLONG : 0;
    }
    return error;
}

static int write_draft(struct draft *draft, const char *file, const struct map *map, const char *run_path)
{
    int error = check_place(file);
    if (error == 0)
        error = draft_open(draft, file);
    if (error != 0)
        return error;
    error = write_file(draft->fd, file, map, run_path);
    if (error != 0)
        draft_drop(draft, file);
    return error;
}

static bool names_run(const char *file, const char *run_path)
{
    char named[PATH_MAX];
    return publish_read_run(file, named, sizeof named) == 0 && strcmp(named, run_path) == 0;
}

/* Whether to leave a file alone: a later run publishes there now, or somebody keeps something else in it. */
static bool is_anothers(const char *file, const char *run_path, enum publish_occasion occasion)
{
    return occasion == PUBLISH_AGAIN && access(file, F_OK) == 0 && !names_run(file, run_path);
}

/* Checks the place again, as somebody may have put something there meanwhile. */
static int install(struct draft *draft, const char *file, const char *run_path,
                   enum publish_occasion occasion)
{
    int error = check_place(file);
    if (error == 0 && !is_anothers(file, run_path, occasion))
        return draft_install(draft, file);
    draft_drop(draft, file);
    return error;
}

/* Writes all files before the first takes its place: an error with one loses none of the others. Publishes
 * the first `count` of them, in their order: who waits for the last one finds all. Each call of the recursion
 * has one draft. */
static int publish_first(const struct map *map, unsigned count, const char *run_path,
                         enum publish_occasion occasion, const char **failed)
{
    const char *file = count > 0 ? texts_get(map, TEXT_FILE, count - 1) : NULL;
    struct draft draft;
    if (file == NULL)
        return 0;
    if (is_anothers(file, run_path, occasion))
        return publish_first(map, count - 1, run_path, occasion, failed);
    *failed = file;
    int error = write_draft(&draft, file, map, run_path);
    if (error != 0)
        return error;
    error = publish_first(map, count - 1, run_path, occasion, failed);
    if (error != 0) {
        draft_drop(&draft, file);
        return error;
    }
    *failed = file;
    return install(&draft, file, run_path, occasion);
}

int publish_files(const struct map *map, const char *run_path, enum publish_occasion occasion,
                  const char **failed)
{
    unsigned count = 0;
    while (texts_get(map, TEXT_FILE, count) != NULL)
        count++;
    int error = publish_first(map, count, run_path, occasion, failed);
    publish_clear(map);
    return error;
}

void publish_clear(const struct map *map)
{
    const char *file;
    for (unsigned i = 0; (file = texts_get(map, TEXT_FILE, i)) != NULL; i++)
        draft_clear(file);
}

void publish_keep_young(const struct map *map, const char *run_path)
{
    static const struct timespec access_alone[] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    const char *file;
    for (unsigned i = 0; (file = texts_get(map, TEXT_FILE, i)) != NULL; i++)
        if (names_run(file, run_path))
            utimensat(AT_FDCWD, file, access_alone, AT_SYMLINK_NOFOLLOW);
}

void publish_withdraw(const struct map *map, const char *run_path)
{
    const char *file;
    for (unsigned i = 0; (file = texts_get(map, TEXT_FILE, i)) != NULL; i++)
        if (names_run(file, run_path))
            unlink(file);
}

int publish_variables(const struct map *map, unsigned most, publish_visit *visit, void *context)
{
    struct portbits assigned;
    publish_assigned(map, &assigned);
    for (unsigned port = 0; most > 0 && (port = portbits_next(&assigned, port)) != 0; most--) {
        char assignment[32];
        struct text t = text_in(assignment, sizeof assignment);
        text_str(&t, "PORTSHIM_PORT_");
        text_uint(&t, port);
        text_char(&t, '=');
        text_uint(&t, map_real(map, port));
        int error = visit(assignment, context);
        if (error != 0)
            return error;
    }
    return 0;
}
