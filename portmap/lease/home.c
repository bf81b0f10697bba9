#include "lease/home.h"

#include "base/environment.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/lock.h"
#include "base/text.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line of /proc/self/uid_map: three numbers of ten columns, two spaces, a newline (user_namespaces(7)). */
enum { UID_MAP_LINE = 33 };

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+@%=:,~-";

/* Whether a uid is the host's root, who owns /proc. Where root is not mapped, the overflow uid owns it. */
static bool is_root_outside(uid_t uid)
{
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return true;
    uid_t owner = kernel_owner(proc);
    close(proc);
    return owner == uid;
}

/* A line of /proc/self/uid_map: `count` uids, from `inside` on here, from `outside` on in the outer
 * namespace. */
struct uid_range {
    uint64_t inside, outside, count;
};

static bool take_number(const char **at, const char *end, uint64_t *number)
{
    while (*at < end && **at == ' ')
        ++*at;
    return text_take_uint(at, end, UINT32_MAX, number);
}

static bool read_range(int fd, unsigned line, struct uid_range *range)
{
    char text[UID_MAP_LINE];
    const char *at = text, *end = text + sizeof text;
    return kernel_pread(fd, text, sizeof text, (off_t)(line * sizeof text)) == sizeof text &&
           take_number(&at, end, &range->inside) && take_number(&at, end, &range->outside) &&
           take_number(&at, end, &range->count);
}

int home_number(uid_t uid, uid_t *number)
{
    struct uid_range range = {0};
    bool known = false;
    int fd = kernel_open(AT_FDCWD, "/proc/self/uid_map");
    *number = uid;
    if (fd < 0)
        return 0; /* no /proc: it cannot be known */
    for (unsigned line = 0; !known && read_range(fd, line, &range); line++)
        known = uid >= range.inside && uid - range.inside < range.count;
    kernel_close(fd);
    if (!known)
        return PORTMAP_ENOUID;
    *number = (uid_t)(range.outside + (uid - range.inside));
    return *number != 0 || is_root_outside(uid) ? 0 : PORTMAP_ENOUID;
}

static int home_path(struct home *home, char *const *env)
{
    const char *given = environment_get_nonempty(env, "PORTSHIM_HOME");
    struct text path = text_in(home->path, sizeof home->path);
    home->given = given != NULL;
    if (given == NULL) {
        uid_t number;
        int unknown = home_number(kernel_euid(), &number);
        text_str(&path, "/tmp/portshim-");
        text_uint(&path, number);
        return unknown;
    }
    int error = text_path(&path, given);
    if (error != 0)
        return error;
    while (path.used > 1 && home->path[path.used - 1] == '/')
        home->path[--path.used] = '\0';
    /* A .env file has this path in it without quotes, and scripts source that file. */
    return home->path[strspn(home->path, plain)] == '\0' ? 0 : PORTMAP_EPATH;
}

/* What a directory of the home lets others do. */
enum { PRIVATE = 0700, PASSABLE = 0711 };

/* Another process of portshim may just have made the directory, under a umask that denies even its owner:
 * gives the owner access. False when it is not ours or cannot be changed; errno is EACCES then. */
static bool let_owner_in(int dir, const char *name, mode_t mode)
{
    struct stat st;
    int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ours = fd >= 0 && kernel_owner(fd) == kernel_euid() && fstat(fd, &st) == 0 &&
                (st.st_mode & 0700) != 0700 && (st.st_mode & 066) == 0;
    if (fd >= 0)
        close(fd);
    bool changed = ours && fchmodat(dir, name, mode, 0) == 0;
    errno = EACCES;
    return changed;
}

/* Whether a directory, or the open one when name is empty, is this user's, and no other can do more with it
 * than the mode says. */
static bool is_own(int dir, const char *name, mode_t mode, struct stat *st)
{
    int flags = *name == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
    return kernel_stat(dir, name, flags, st) == 0 && S_ISDIR(st->st_mode) && st->st_uid == kernel_euid() &&
           (st->st_mode & 077 & ~mode) == 0;
}

static int open_directory(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Opens a directory below dir that no other user can read or write; makes it if it is missing. Version 0.1
 * made them all private: lets others pass as the mode says, unless `keep` says that its mode is the user's
 * business. */
static int open_own(int dir, const char *name, mode_t mode, bool keep)
{
    struct stat st;
    int fd = open_directory(dir, name);
    if (fd == -ENOENT) {
        if (mkdirat(dir, name, mode) == 0)
            fchmodat(dir, name, mode, 0); /* the umask may have denied some of it */
        else if (errno != EEXIST)
            return -errno;
        fd = open_directory(dir, name);
    }
    if (fd == -EACCES && let_owner_in(dir, name, mode))
        fd = open_directory(dir, name);
    if (fd < 0)
        return fd == -ENOTDIR || fd == -ELOOP || fd == -EACCES ? PORTMAP_EFOREIGN : fd;
    if (!is_own(fd, "", mode, &st)) {
        close(fd);
        return PORTMAP_EFOREIGN;
    }
    if (!keep && (st.st_mode & 0777) != mode)
        fchmod(fd, mode);
    return fd;
}

/* Sees to it that a directory of the home is there, with its mode. */
static int have_part(int home, const char *name, mode_t mode)
{
    struct stat st;
    if (is_own(home, name, mode, &st) && (st.st_mode & 0777) == mode)
        return 0;
    int fd = open_own(home, name, mode, false);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

const char *home_remedy(int error)
{
    return error == -EFBIG            ? "raise the limit, ulimit -f"
           : error == PORTMAP_ELOCKED ? "continue or end that process, and try again"
                                      : "check its disk and permissions, or set PORTSHIM_HOME";
}

int home_reopen(struct home *home)
{
    home->fd = -1;
    int fd = open_own(AT_FDCWD, home->path, PASSABLE, home->given);
    if (fd < 0)
        return fd;
    home->fd = fd;
    static const struct {
        const char *name;
        mode_t mode;
    } parts[] = {{"runs", PASSABLE}, {"names", PRIVATE}};
    for (unsigned i = 0; i < 2; i++) {
        int error = have_part(fd, parts[i].name, parts[i].mode);
        if (error != 0) {
            home_close(home);
            return error;
        }
    }
    return 0;
}

int home_open(struct home *home, char *const *env)
{
    home->fd = -1;
    int error = home_path(home, env);
    return error == 0 ? home_reopen(home) : error;
}

int home_open_existing(struct home *home, char *const *env)
{
    struct stat st;
    home->fd = -1;
    int error = home_path(home, env);
    int fd = error == 0 ? open_directory(AT_FDCWD, home->path) : error;
    if (fd < 0)
        return fd;
    if (!is_own(fd, "", PASSABLE, &st) || !is_own(fd, "runs", PASSABLE, &st) ||
        !is_own(fd, "names", PASSABLE, &st)) {
        close(fd);
        return PORTMAP_EFOREIGN;
    }
    home->fd = fd;
    return 0;
}

bool home_is_in_place(const struct home *home)
{
    struct stat open, named;
    return fstat(home->fd, &open) == 0 && lstat(home->path, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

/* FNV-1a, 32 bits. */
static uint32_t add_to_hash(uint32_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT32_C(0x01000193);
    return hash;
}

/* The number of an identity's lock. Paths to one file in one directory, however that is spelled, have one
 * number. Identities that share a number by chance only wait for each other. */
static uint32_t number_of(const char *identity)
{
    char directory[PATH_MAX], place[48];
    const char *slash = strrchr(identity, '/');
    struct text t = text_in(directory, sizeof directory), p = text_in(place, sizeof place);
    struct stat st;
    const uint32_t start = UINT32_C(0x811c9dc5);
    if (slash != NULL)
        text_bytes(&t, identity, (size_t)(slash - identity + 1));
    if (slash == NULL || t.cut || stat(directory, &st) < 0)
        return add_to_hash(start, identity);
    text_uint(&p, st.st_dev);
    text_char(&p, ' ');
    text_uint(&p, st.st_ino);
    return add_to_hash(add_to_hash(start, place), slash);
}

int home_lock_by_hand(const struct home *home, const char *identity)
{
    int fd = file_share(home->fd, "by-hand");
    if (fd < 0)
        return fd;
    int error = lock_byte(fd, (off_t)(number_of(identity) & INT32_MAX), LOCK_PATIENT);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

void home_close(struct home *home)
{
    if (home->fd >= 0)
        close(home->fd);
    home->fd = -1;
}
