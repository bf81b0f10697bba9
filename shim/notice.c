#include "notice.h"

#include "elf.h"
#include "environment.h"
#include "host.h"
#include "memory.h"
#include "next.h"
#include "portset.h"
#include "sighting.h"
#include "table.h"
#include "text.h"
#include "translate.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

/* This very program: it gets a number in the map once there is something to say of it. */
static struct {
    uint64_t device, inode;
} self;

void notice_init(void)
{
    struct stat st;
    int saved = errno;
    if (stat("/proc/self/exe", &st) == 0) {
        self.device = sighting_device(&st);
        self.inode = st.st_ino;
    }
    errno = saved;
}

/* Without a map nobody can be told. */
static struct map *map_to_note_in(void)
{
    return table.map[0];
}

static unsigned protocol_of(int fd)
{
    int saved = errno, protocol = 0;
    socklen_t len = sizeof protocol;
    int failed = getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
    errno = saved;
    if (failed != 0)
        return 0;
    return protocol == IPPROTO_UDP ? PORTMAP_UDP : PORTMAP_TCP;
}

static void note(enum sighting_kind kind, unsigned port, unsigned protocols)
{
    struct map *map = map_to_note_in();
    unsigned program =
        sighting_program(map, self.device, self.inode, program_invocation_short_name, PROGRAM_DYNAMIC);
    sighting_note(map,
                  (struct sighting){.kind = kind, .port = port, .protocols = protocols, .program = program});
}

void notice_bind(int fd, const struct sockaddr *address, socklen_t len, int error)
{
    struct map *map = map_to_note_in();
    struct sockaddr_in head;
    if (map == NULL || (error != 0 && error != EADDRINUSE) || len < sizeof head)
        return;
    memcpy(&head, address, sizeof head); /* the kernel has just read it */
    unsigned port = ntohs(head.sin_port);
    if ((head.sin_family != AF_INET && head.sin_family != AF_INET6) || port == 0 ||
        table_to_program(port) != 0)
        return;
    note(error == 0 ? SIGHTING_BIND : SIGHTING_REFUSED, port, map->discover ? protocol_of(fd) : 0);
}

void notice_destination(int fd, const struct sockaddr *address, socklen_t len)
{
    struct map *map = map_to_note_in();
    union address copy = {.any = {.sa_family = AF_UNSPEC}};
    int saved = errno;
    if (map == NULL || !map->discover || len < sizeof copy.ipv4 || !memory_is_readable(address, len))
        return;
    memcpy(&copy, address, len < sizeof copy ? len : sizeof copy);
    bool here = false;
    if (copy.any.sa_family == AF_INET)
        here = host_has_ipv4(copy.ipv4.sin_addr);
    else if (copy.any.sa_family == AF_INET6)
        here = host_has_ipv6(&copy.ipv6);
    if (here && copy.ipv4.sin_port != 0)
        note(SIGHTING_CONNECT, ntohs(copy.ipv4.sin_port), protocol_of(fd));
    errno = saved;
}

/* portshim itself is static, and binds nothing. */
static bool is_out_of_reach(uint32_t kind, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (strcmp(slash != NULL ? slash + 1 : path, "portshim") == 0)
        return false;
    return (kind & PROGRAM_PRIVILEGED) != 0 || kind == PROGRAM_STATIC || kind == PROGRAM_GO ||
           kind == PROGRAM_WRONG_CLASS;
}

/* open(2) and close(2) are cancellation points, which exec is not; a raw system call is none. */
static int open_raw(int dirfd, const char *path)
{
    return (int)next_functions.syscall(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC);
}

static void close_raw(int fd)
{
    next_functions.syscall(SYS_close, fd);
}

static bool is_privileged(int fd, const struct stat *st)
{
    return ((st->st_mode & S_ISUID) != 0 && st->st_uid != geteuid()) ||
           ((st->st_mode & S_ISGID) != 0 && st->st_gid != getegid()) ||
           (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

/* What the library can do with an open file; a script's interpreter is in the path then. */
static bool judge(struct map *map, int fd, const char *path, char *interpreter, size_t size)
{
    struct stat st;
    *interpreter = '\0';
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return true;
    unsigned program = sighting_known_program(map, sighting_device(&st), st.st_ino);
    uint32_t kind = program < MAP_PROGRAMS ? atomic_load(&map->programs[program].kind)
                                           : (uint32_t)elf_judge(fd, interpreter, size);
    if (program == MAP_PROGRAMS && *interpreter == '\0' && is_privileged(fd, &st))
        kind |= PROGRAM_PRIVILEGED;
    if (program == MAP_PROGRAMS && *interpreter == '\0' && kind != PROGRAM_UNKNOWN)
        program = sighting_program(map, sighting_device(&st), st.st_ino, path, kind);
    if (!is_out_of_reach(kind, path))
        return true;
    sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .program = program});
    return !map->strict;
}

static bool judge_and_close(int fd, const char *path)
{
    char interpreter[256], next[256]; /* a longer one goes unjudged */
    struct map *map = map_to_note_in();
    bool good = true;
    for (unsigned depth = 0; fd >= 0 && good; depth++) {
        good = judge(map, fd, path, interpreter, sizeof interpreter);
        close_raw(fd);
        fd = -1;
        if (good && *interpreter != '\0' && depth < SCRIPT_DEPTH) {
            memcpy(next, interpreter, sizeof next);
            path = next;
            fd = open_raw(AT_FDCWD, path);
        }
    }
    return good;
}

static bool refuse(int saved, bool good)
{
    errno = good ? saved : EPERM;
    return good;
}

bool notice_exec(int dirfd, const char *path, int flags)
{
    int saved = errno;
    if (map_to_note_in() == NULL || !memory_is_readable(path, 1))
        return true;
    bool by_descriptor = (flags & AT_EMPTY_PATH) != 0 && *path == '\0';
    int fd = by_descriptor ? fcntl(dirfd, F_DUPFD_CLOEXEC, 0) : open_raw(dirfd, path);
    return refuse(saved, judge_and_close(fd, path));
}

bool notice_exec_search(const char *file)
{
    char path[1024];
    int saved = errno, fd = -1;
    const char *list = environment_get(environ, "PATH");
    if (map_to_note_in() == NULL || !memory_is_readable(file, 1))
        return true;
    if (strchr(file, '/') != NULL)
        return notice_exec(AT_FDCWD, file, 0);
    for (list = list != NULL ? list : "/bin:/usr/bin"; fd < 0; list++) {
        size_t len = strcspn(list, ":");
        struct text t = text_in(path, sizeof path);
        text_bytes(&t, len == 0 ? "." : list, len == 0 ? 1 : len);
        text_char(&t, '/');
        text_str(&t, file);
        if (!t.cut && access(path, X_OK) == 0)
            fd = open_raw(AT_FDCWD, path);
        list += len;
        if (*list == '\0')
            break;
    }
    return refuse(saved, judge_and_close(fd, path));
}
