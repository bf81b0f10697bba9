#include "base/file.h"

#include "base/kernel.h"
#include "base/text.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int file_create(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    file_let_owner(fd);
    return fd;
}

int file_share(int dir, const char *name)
{
    const int how = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(dir, name, how);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT) {
        fd = file_create(dir, name);
        if (fd != -EEXIST)
            return fd;
        fd = openat(dir, name, how);
    }
    /* Under a tight umask the file has no permissions until its maker has called file_let_owner(). We may set
     * them as well: no other user can make files in the directory. */
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0600, 0) == 0)
        fd = openat(dir, name, how);
    return fd < 0 ? -errno : fd;
}

static int check_limit(uint64_t size)
{
    struct rlimit limit;
    bool fits =
        getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
    return fits ? 0 : -EFBIG;
}

int file_allocate_from(int fd, size_t from, size_t size)
{
    int error = check_limit(from + size);
    return error == 0 ? -posix_fallocate(fd, (off_t)from, (off_t)size) : error;
}

int file_allocate(int fd, size_t size)
{
    return file_allocate_from(fd, 0, size);
}

int file_write(int fd, const char *bytes, size_t len)
{
    struct stat st;
    int error = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        error = check_limit((uint64_t)st.st_size + len);
    return error == 0 ? text_write_all(fd, bytes, len) : error;
}

int file_write_at(int fd, const void *bytes, size_t len, off_t at)
{
    const char *from = bytes;
    int error = check_limit((uint64_t)at + len);
    while (error == 0 && len > 0) {
        ssize_t written = pwrite(fd, from, len, at);
        if (written < 0 && errno != EINTR)
            error = -errno;
        if (written == 0)
            error = -EIO;
        if (written > 0) {
            from += written;
            at += written;
            len -= (size_t)written;
        }
    }
    return error;
}

bool file_is_old(const struct stat *file)
{
    enum { DAY = 24 * 60 * 60 };
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - file->st_mtim.tv_sec > DAY;
}

int file_look(int fd, struct stat *st)
{
    int error = kernel_stat(fd, "", AT_EMPTY_PATH, st);
    if (error == 0 && (!S_ISREG(st->st_mode) || st->st_uid != kernel_euid()))
        error = PORTMAP_EFOREIGN;
    return error;
}

int file_look_written(int fd, struct stat *st)
{
    int error = file_look(fd, st);
    return error == 0 && st->st_size == 0 ? -ENODATA : error;
}

void file_let_owner(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0600) != 0600)
        fchmod(fd, (st.st_mode & 0777) | 0600);
}
