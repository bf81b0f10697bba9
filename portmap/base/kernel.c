#include "base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

int kernel_socket(int family, int type, int protocol)
{
    return (int)kernel_call(SYS_socket, family, type, protocol);
}

int kernel_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)kernel_call(SYS_bind, fd, address, len);
}

int kernel_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return (int)kernel_call(SYS_connect, fd, address, len);
}

int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return (int)kernel_call(SYS_getsockname, fd, address, len);
}

int kernel_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return (int)kernel_call(SYS_getsockopt, fd, level, name, value, len);
}

int kernel_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)kernel_call(SYS_setsockopt, fd, level, name, value, len);
}

int kernel_open(int dirfd, const char *path)
{
    return (int)kernel_call(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* preadv(2) takes the offset as two words on every architecture; pread64(2) does not. */
ssize_t kernel_pread(int fd, void *to, size_t size, off_t at)
{
    struct iovec vector = {to, size};
    return kernel_call(SYS_preadv, fd, &vector, 1, (long)at, (long)(at < 0 ? -1 : 0));
}

void kernel_close(int fd)
{
    kernel_call(SYS_close, fd);
}

void kernel_close_both(int first, int second)
{
    bool adjacent = first >= 0 && second == first + 1;
    if (adjacent && kernel_call(SYS_close_range, (long)first, (long)second, 0L) == 0)
        return;
    if (first >= 0)
        kernel_close(first);
    if (second >= 0)
        kernel_close(second);
}

uid_t kernel_euid(void)
{
#ifdef SYS_geteuid32
    return (uid_t)kernel_call(SYS_geteuid32);
#else
    return (uid_t)kernel_call(SYS_geteuid);
#endif
}

gid_t kernel_egid(void)
{
#ifdef SYS_getegid32
    return (gid_t)kernel_call(SYS_getegid32);
#else
    return (gid_t)kernel_call(SYS_getegid);
#endif
}

bool kernel_has_no_new_privs(void)
{
    return kernel_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1;
}

/* The system call behind fstatat(2) fills another structure on each architecture; statx(2) fills one. */
int kernel_stat(int dirfd, const char *path, int flags, struct stat *file)
{
    struct statx found;
    int saved = errno, error = (int)kernel_call(SYS_statx, dirfd, path, flags, STATX_BASIC_STATS, &found);
    if (error == -ENOSYS || error == -EPERM) { /* before Linux 4.11, or a container's filter */
        error = fstatat(dirfd, path, file, flags) < 0 ? -errno : 0;
        errno = saved;
    } else if (error == 0)
        *file = (struct stat){.st_mode = found.stx_mode,
                              .st_uid = found.stx_uid,
                              .st_gid = found.stx_gid,
                              .st_size = (off_t)found.stx_size,
                              .st_dev = makedev(found.stx_dev_major, found.stx_dev_minor),
                              .st_ino = (ino_t)found.stx_ino,
                              .st_atim = {(time_t)found.stx_atime.tv_sec, (long)found.stx_atime.tv_nsec},
                              .st_mtim = {(time_t)found.stx_mtime.tv_sec, (long)found.stx_mtime.tv_nsec},
                              .st_ctim = {(time_t)found.stx_ctime.tv_sec, (long)found.stx_ctime.tv_nsec}};
    return error;
}

int kernel_identify(int fd, struct kernel_file *file)
{
    struct statx found;
    int error = (int)kernel_call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                                 STATX_BASIC_STATS | STATX_BTIME, &found);
    if (error < 0)
        return error;
    bool has_birth = (found.stx_mask & STATX_BTIME) != 0;
    *file = (struct kernel_file){
        .mode = found.stx_mode,
        .device = makedev(found.stx_dev_major, found.stx_dev_minor),
        .inode = found.stx_ino,
        .special = makedev(found.stx_rdev_major, found.stx_rdev_minor),
        .born = has_birth ? (uint64_t)found.stx_btime.tv_sec * 1000000000 + found.stx_btime.tv_nsec : 0};
    return 0;
}

uid_t kernel_owner(int fd)
{
    struct stat file;
    return kernel_stat(fd, "", AT_EMPTY_PATH, &file) == 0 ? file.st_uid : (uid_t)-1;
}

bool kernel_has_capabilities(int fd)
{
    return kernel_call(SYS_fgetxattr, fd, "security.capability", 0L, 0L) > 0;
}
