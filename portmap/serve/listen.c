#include "serve/listen.h"

#include "base/text.h"
#include "base/unix_address.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Clients are served in the order in which they connect. A short backlog limits how many connections one user
 * can put before another's; clients beyond it wait in connect(2), in order too. */
enum { BACKLOG = 128 };

/* 0 when there is no file or a dead server's, -EADDRINUSE when somebody listens on it. */
static int check_dead(const struct sockaddr_un *address, socklen_t len)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return PORTMAP_EFOREIGN;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = connect(fd, (const struct sockaddr *)address, len) == 0 ? EADDRINUSE : errno;
    close(fd);
    if (error == ECONNREFUSED)
        return 0;
    return error == EAGAIN ? -EADDRINUSE : -error; /* EAGAIN: the server's backlog is full */
}

/* Locks the directory, if it can be read, so that of two servers that start at once the second finds the
 * first one's socket, not the dead server's file. Goes on without the lock after two seconds: a server that
 * starts does not hold it so long. */
static int lock_directory_of(const char *path)
{
    enum { TRIES = 100 };
    const struct timespec pause = {.tv_nsec = 20000000};
    char copy[PATH_MAX];
    struct text t = text_in(copy, sizeof copy);
    text_str(&t, path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned tries = 0; fd >= 0 && tries < TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; tries++)
        nanosleep(&pause, NULL);
    return fd;
}

/* Binds with a mode for every user. A chmod(2) afterwards could hit a file that another user put there. */
static int bind_for_all(int fd, const struct sockaddr_un *address, socklen_t len)
{
    mode_t mask = umask(0111);
    int error = bind(fd, (const struct sockaddr *)address, len) < 0 ? -errno : 0;
    umask(mask);
    return error;
}

static int bind_path(struct serve_listener *listener, const struct sockaddr_un *address, socklen_t len)
{
    struct stat st;
    int lock = lock_directory_of(address->sun_path);
    int error = check_dead(address, len);
    if (error == 0 && unlink(address->sun_path) < 0 && errno != ENOENT)
        error = -errno;
    if (error == 0)
        error = bind_for_all(listener->fd, address, len);
    if (error == 0 && lstat(address->sun_path, &st) < 0)
        error = -errno;
    if (error == 0 && listen(listener->fd, BACKLOG) < 0)
        error = -errno;
    if (lock >= 0)
        close(lock);
    if (error != 0)
        return error;
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
    listener->path = strdup(address->sun_path);
    return listener->path != NULL ? 0 : -ENOMEM;
}

static int bind_abstract(const struct serve_listener *listener, const struct sockaddr_un *address,
                         socklen_t len)
{
    if (bind(listener->fd, (const struct sockaddr *)address, len) < 0)
        return -errno;
    return serve_listen_again(listener);
}

int serve_listen(struct serve_listener *listener, const char *address)
{
    struct sockaddr_un parsed;
    char absolute[PATH_MAX];
    struct text t = text_in(absolute, sizeof absolute);
    socklen_t len;
    *listener = (struct serve_listener){.fd = -1};
    /* The path must be absolute: the daemon changes its working directory. */
    int error = *address == '@' || *address == '\0' ? 0 : text_path(&t, address);
    if (error == 0)
        error = unix_address_parse(t.used > 0 ? absolute : address, &parsed, &len);
    if (error != 0)
        return error;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->fd < 0)
        return -errno;
    error = *address == '@' ? bind_abstract(listener, &parsed, len) : bind_path(listener, &parsed, len);
    if (error != 0)
        close(listener->fd);
    return error;
}

int serve_listen_again(const struct serve_listener *listener)
{
    return listen(listener->fd, BACKLOG) < 0 ? -errno : 0;
}

static bool is_listening_stream(int fd)
{
    int type = 0, listening = 0, domain = 0;
    socklen_t len = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

int serve_listen_inherited(struct serve_listener *listener)
{
    enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != getpid())
        return 0;
    if (strcmp(count, "1") != 0 || !is_listening_stream(FIRST))
        return PORTMAP_EFOREIGN;
    *listener = (struct serve_listener){.fd = FIRST};
    fcntl(FIRST, F_SETFD, FD_CLOEXEC);
    fcntl(FIRST, F_SETFL, fcntl(FIRST, F_GETFL) | O_NONBLOCK);
    return 1;
}

void serve_listen_end(struct serve_listener *listener)
{
    struct stat st;
    close(listener->fd);
    if (listener->path != NULL && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
        st.st_ino == listener->inode)
        unlink(listener->path);
}
