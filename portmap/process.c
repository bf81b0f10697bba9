#include "process.h"

#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct stat_line {
    char state;
    uint64_t threads;
    uint64_t start_time;
};

/* The inode number of the namespace that all others are below (include/linux/proc_ns.h). */
#define INITIAL_PID_NAMESPACE UINT32_C(0xEFFFFFFC)

void process_boot_id(char id[static BOOT_ID_SIZE])
{
    char buffer[64];
    memset(id, 0, BOOT_ID_SIZE);
    if (text_read_file("/proc/sys/kernel/random/boot_id", buffer, sizeof buffer) >= BOOT_ID_SIZE - 1)
        memcpy(id, buffer, BOOT_ID_SIZE - 1);
}

bool process_is_this_boot(const char id[static BOOT_ID_SIZE])
{
    char now[BOOT_ID_SIZE];
    process_boot_id(now);
    return *now == '\0' || memcmp(id, now, sizeof now) == 0;
}

static void proc_path(struct text *t, pid_t pid, const char *file)
{
    text_str(t, "/proc/");
    text_uint(t, (uint64_t)pid);
    text_str(t, file);
}

/* Moves *at behind the next field and its space; false at the end. */
static bool skip_field(const char **at)
{
    const char *space = strchr(*at, ' ');
    if (space == NULL)
        return false;
    *at = space + 1;
    return true;
}

/* After `unshare -p -f` alone it is still that of the outer namespace, where our pids mean others. */
static bool proc_is_of_our_namespace(void)
{
    char target[16];
    uint64_t self;
    const char *at = target;
    ssize_t len = readlink("/proc/self", target, sizeof target);
    return len > 0 && text_take_uint(&at, target + len, INT32_MAX, &self) && (pid_t)self == getpid();
}

static bool read_stat(pid_t pid, struct stat_line *line)
{
    char path[32], buffer[1024];
    struct text name = text_in(path, sizeof path);
    if (!proc_is_of_our_namespace())
        return false;
    proc_path(&name, pid, "/stat");
    int len = text_read_file(path, buffer, sizeof buffer);
    if (len <= 0)
        return false;
    /* Field 2 is the command in parentheses, and may hold any character: count from the last one. */
    const char *at = strrchr(buffer, ')'), *end = buffer + len;
    if (at == NULL || at[1] != ' ')
        return false;
    at += 2;
    line->state = *at;
    for (int field = 3; field < 20; field++)
        if (!skip_field(&at))
            return false;
    return text_take_uint(&at, end, UINT32_MAX, &line->threads) && skip_field(&at) && skip_field(&at) &&
           text_take_uint(&at, end, UINT64_MAX / 16, &line->start_time);
}

/* A first thread that has ended is a zombie as well, as long as others go on. */
static bool is_living(const struct stat_line *line)
{
    return line->state != 'X' && (line->state != 'Z' || line->threads > 1);
}

uint64_t process_start_time(pid_t pid)
{
    struct stat_line line;
    return read_stat(pid, &line) ? line.start_time : 0;
}

static uint32_t namespace_inode(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

uint32_t process_pid_namespace(void)
{
    return namespace_inode("/proc/self/ns/pid");
}

bool process_is_in_initial_pid_namespace(void)
{
    return process_pid_namespace() == INITIAL_PID_NAMESPACE;
}

uint32_t process_net_namespace(void)
{
    return namespace_inode("/proc/self/ns/net");
}

/* Of a start time, a lease keeps the low 32 bits: more than a year of ticks. Where /proc did not tell it, it
 * is 0. */
static bool has_start(const struct stat_line *line, uint64_t start_time)
{
    return (uint32_t)start_time == 0 || (uint32_t)start_time == (uint32_t)line->start_time;
}

/* /proc may be mounted with hidepid, or not at all. */
static bool is_there(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

bool process_is_alive(pid_t pid, uint64_t start_time)
{
    struct stat_line line;
    if (!read_stat(pid, &line))
        return is_there(pid);
    return has_start(&line, start_time) && is_living(&line);
}

bool process_find(pid_t pid, uint64_t *start_time)
{
    struct stat_line line;
    *start_time = 0;
    if (!read_stat(pid, &line))
        return is_there(pid);
    *start_time = line.start_time;
    return is_living(&line);
}

/* The last number of the NSpid line of /proc/PID/status: what the process is called in its own namespace. */
static pid_t innermost_pid(pid_t pid)
{
    char path[32], buffer[4096];
    struct text name = text_in(path, sizeof path);
    uint64_t inner = 0;
    proc_path(&name, pid, "/status");
    if (text_read_file(path, buffer, sizeof buffer) <= 0)
        return 0;
    const char *at = strstr(buffer, "\nNSpid:");
    const char *end = at != NULL ? strchr(at + 1, '\n') : NULL;
    if (end == NULL)
        return 0;
    for (at += strlen("\nNSpid:"); at < end; at++)
        if (*at >= '0' && *at <= '9' && !text_take_uint(&at, end, INT32_MAX, &inner))
            return 0;
    return (pid_t)inner;
}

/* Whether process `here` of this namespace is process `pid` of that one. */
static bool is_process_of(pid_t here, uint32_t pid_namespace, pid_t pid, uint64_t start_time)
{
    char path[32];
    struct text name = text_in(path, sizeof path);
    struct stat_line line;
    proc_path(&name, here, "/ns/pid");
    return namespace_inode(path) == pid_namespace && innermost_pid(here) == pid && read_stat(here, &line) &&
           has_start(&line, start_time) && is_living(&line);
}

bool process_is_gone_elsewhere(uint32_t pid_namespace, pid_t pid, uint64_t start_time)
{
    union {
        struct dirent64 entry;
        char bytes[8192];
    } buffer;
    ssize_t got;
    /* Root of the first namespace sees every process, and may look into it. */
    if (geteuid() != 0 || !process_is_in_initial_pid_namespace())
        return false;
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool found = false;
    while (!found && (got = getdents64(fd, &buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; !found && at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            const char *digits = entry->d_name;
            uint64_t here;
            at += entry->d_reclen;
            if (text_take_uint(&digits, digits + strlen(digits), INT32_MAX, &here) && *digits == '\0')
                found = is_process_of((pid_t)here, pid_namespace, pid, start_time);
        }
    bool complete = found || got == 0;
    close(fd);
    return complete && !found;
}

uint64_t process_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
