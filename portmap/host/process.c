#include "host/process.h"

#include "base/kernel.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The inode numbers of the initial namespaces (include/linux/proc_ns.h). */
#define INITIAL_PID_NAMESPACE UINT32_C(0xEFFFFFFC)
#define INITIAL_TIME_NAMESPACE UINT32_C(0xEFFFFFFA)

enum { EXITING = 4 }; /* PF_EXITING (include/linux/sched.h) */

#define SECOND UINT64_C(1000000000) /* nanoseconds */

void process_boot_id(char id[static BOOT_ID_SIZE])
{
    char buffer[64];
    memset(id, 0, BOOT_ID_SIZE);
    if (text_read_once("/proc/sys/kernel/random/boot_id", buffer, sizeof buffer) >= BOOT_ID_SIZE - 1)
        memcpy(id, buffer, BOOT_ID_SIZE - 1);
}

static void proc_path(struct text *t, pid_t pid, const char *file)
{
    text_str(t, "/proc/");
    text_uint(t, (uint64_t)pid);
    text_str(t, file);
}

/* Moves *at behind so many fields and their spaces; false at the end. */
static bool skip_fields(const char **at, unsigned count)
{
    const char *space = *at - 1;
    for (; count > 0 && space != NULL; count--)
        space = strchr(space + 1, ' ');
    if (space != NULL)
        *at = space + 1;
    return space != NULL;
}

/* Whether /proc numbers processes as we do. After `unshare -p -f` alone it still shows the outer namespace,
 * where our pids mean other processes. */
static bool proc_is_of_our_namespace(void)
{
    char target[16];
    uint64_t self;
    const char *at = target;
    ssize_t len = readlink("/proc/self", target, sizeof target);
    return len > 0 && text_take_uint(&at, target + len, INT32_MAX, &self) && (pid_t)self == getpid();
}

static uint32_t namespace_inode(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

/*
 * How far the clock of boot time of this process's time namespace (time_namespaces(7)) is ahead of the
 * initial one's, in nanoseconds modulo 2^64. The kernel adds that to clock_gettime(2) and to start times in
 * /proc.
 */
struct ahead {
    bool known;
    uint64_t nanoseconds;
};

/* Parses "boottime -5000 0\n", the second line of timens_offsets: seconds and nanoseconds. */
static struct ahead parse_offset(const char *line, const char *end)
{
    struct ahead ahead = {0};
    uint64_t seconds, nanoseconds;
    line += strspn(line, " ");
    bool negative = *line == '-';
    line += negative;
    ahead.known = text_take_uint(&line, end, UINT64_MAX / SECOND, &seconds);
    line += strspn(line, " ");
    ahead.known = ahead.known && text_take_uint(&line, end, SECOND, &nanoseconds);
    if (ahead.known)
        ahead.nanoseconds = (negative ? 0 - seconds * SECOND : seconds * SECOND) + nanoseconds;
    return ahead;
}

/* timens_offsets is about the namespace of the children; usually that is the process's own. */
static struct ahead look_ahead(void)
{
    char line[64];
    uint32_t own = namespace_inode("/proc/self/ns/time");
    if (own == INITIAL_TIME_NAMESPACE || own == 0) /* 0: before Linux 5.6, or no /proc */
        return (struct ahead){.known = true};
    int len = text_read_line("/proc/self/timens_offsets", "boottime", line, sizeof line);
    if (len < 0 || namespace_inode("/proc/self/ns/time_for_children") != own)
        return (struct ahead){0};
    return parse_offset(line, line + len);
}

enum { AHEAD_UNSET, AHEAD_UNKNOWN, AHEAD_KNOWN };
static _Atomic unsigned ahead_state;
static _Atomic uint64_t ahead_nanoseconds;

static struct ahead look_ahead_again(void)
{
    struct ahead found = look_ahead();
    atomic_store(&ahead_nanoseconds, found.nanoseconds);
    atomic_store(&ahead_state, found.known ? AHEAD_KNOWN : AHEAD_UNKNOWN);
    return found;
}

/* Looks once. A process rarely enters another time namespace without executing a program; before that
 * matters, has_start() looks again. */
static struct ahead ahead_of_initial(void)
{
    unsigned state = atomic_load(&ahead_state);
    if (state == AHEAD_UNSET)
        return look_ahead_again();
    return (struct ahead){.known = state == AHEAD_KNOWN, .nanoseconds = atomic_load(&ahead_nanoseconds)};
}

/* A start time in clock ticks since the initial namespace's boot, or one less; 0 when that is unknown. */
static uint64_t initial_ticks(uint64_t ticks, struct ahead ahead)
{
    uint64_t tick = SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
    return !ahead.known ? 0 : ahead.nanoseconds == 0 ? ticks : (ticks * tick - ahead.nanoseconds) / tick;
}

bool process_read_stat(pid_t pid, struct process_stat *line)
{
    char path[32], buffer[1024];
    const char *number = buffer;
    uint64_t shown;
    bool is_own = pid == getpid();
    struct text name = text_in(path, sizeof path);
    if (!is_own && !proc_is_of_our_namespace())
        return false;
    if (is_own)
        text_str(&name, "/proc/self/stat");
    else
        proc_path(&name, pid, "/stat");
    int len = text_read_once(path, buffer, sizeof buffer);
    if (len <= 0)
        return false;
    /* Field 1 of our own file tells whether /proc numbers processes as we do. */
    if (!text_take_uint(&number, buffer + len, INT32_MAX, &shown) || (pid_t)shown != pid)
        return false;
    /* Field 2 is the command in parentheses, with any characters in it: count fields from the last ")". */
    const char *at = strrchr(buffer, ')'), *end = buffer + len;
    if (at == NULL || at[1] != ' ')
        return false;
    at += 2;
    line->state = *at;
    uint64_t parent, flags, pending = 0;
    bool whole = skip_fields(&at, 4 - 3) && text_take_uint(&at, end, INT32_MAX, &parent) &&
                 skip_fields(&at, 9 - 4) && text_take_uint(&at, end, UINT32_MAX, &flags) &&
                 skip_fields(&at, 20 - 9) && text_take_uint(&at, end, UINT32_MAX, &line->threads) &&
                 skip_fields(&at, 22 - 20) && text_take_uint(&at, end, UINT64_MAX / 16, &line->ticks) &&
                 skip_fields(&at, 31 - 22) && text_take_uint(&at, end, UINT64_MAX, &pending);
    if (!whole)
        return false;
    line->parent = (pid_t)parent;
    /* Any signal whose default action ends a process becomes a SIGKILL of each thread (complete_signal). */
    line->is_ending = (flags & EXITING) != 0 || (pending >> (SIGKILL - 1) & 1) != 0;
    return true;
}

bool process_is_living(const struct process_stat *line)
{
    return line->state != 'X' && (line->state != 'Z' || line->threads > 1);
}

static uint64_t start_of(const struct process_stat *line)
{
    return initial_ticks(line->ticks, ahead_of_initial());
}

uint64_t process_start_time(pid_t pid)
{
    struct process_stat line;
    return process_read_stat(pid, &line) ? start_of(&line) : 0;
}

/* ioctl(2) on a pidfd tells namespaces without /proc, from Linux 6.11 on (include/uapi/linux/pidfd.h). */
enum { GET_NET_NAMESPACE = _IO(0xFF, 4), GET_PID_NAMESPACE = _IO(0xFF, 5) };

static uint32_t own_namespace(const char *path, unsigned long request)
{
    uint32_t inode = namespace_inode(path);
    struct stat st;
    int pidfd = inode == 0 ? (int)kernel_call(SYS_pidfd_open, getpid(), 0) : -1;
    if (pidfd < 0)
        return inode;
    int fd = (int)kernel_call(SYS_ioctl, pidfd, request, 0);
    if (fd >= 0 && fstat(fd, &st) == 0)
        inode = (uint32_t)st.st_ino;
    if (fd >= 0)
        close(fd);
    close(pidfd);
    return inode;
}

uint32_t process_pid_namespace(void)
{
    return own_namespace("/proc/self/ns/pid", GET_PID_NAMESPACE);
}

bool process_is_in_initial_pid_namespace(void)
{
    return process_pid_namespace() == INITIAL_PID_NAMESPACE;
}

uint32_t process_net_namespace(void)
{
    return own_namespace("/proc/self/ns/net", GET_NET_NAMESPACE);
}

bool process_is_other_network(uint32_t net_namespace)
{
    uint32_t here = process_net_namespace();
    return here != 0 && net_namespace != 0 && net_namespace != here;
}

/* A lease keeps only the low 32 bits of a start time, more than a year of ticks. 0 means unknown. Either may
 * be a tick too small, see initial_ticks(): no pid is used again so soon. */
static bool is_same_start(uint64_t a, uint64_t b)
{
    return (uint32_t)a == 0 || (uint32_t)b == 0 || (uint32_t)(a - b + 1) <= 2;
}

/* Looks at the time namespace again before it says no. */
static bool has_start(const struct process_stat *line, uint64_t start_time)
{
    return is_same_start(start_of(line), start_time) ||
           is_same_start(initial_ticks(line->ticks, look_ahead_again()), start_time);
}

/* For a process that /proc does not show, as it is mounted with hidepid or not at all. */
static bool is_there(pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

bool process_is_alive(pid_t pid, uint64_t start_time)
{
    struct process_stat line;
    if (!is_there(pid))
        return false; /* one call instead of five */
    if (!process_read_stat(pid, &line))
        return is_there(pid);
    return has_start(&line, start_time) && process_is_living(&line);
}

bool process_is_ending(pid_t pid, uint64_t start_time)
{
    struct process_stat line;
    return process_read_stat(pid, &line) && line.is_ending && has_start(&line, start_time);
}

bool process_find(pid_t pid, uint64_t *start_time)
{
    struct process_stat line;
    *start_time = 0;
    if (!process_read_stat(pid, &line))
        return is_there(pid);
    *start_time = start_of(&line);
    return process_is_living(&line);
}

int process_pids(pid_t pid, pid_t pids[static PROCESS_PIDS])
{
    char path[32], line[512];
    struct text name = text_in(path, sizeof path);
    proc_path(&name, pid, "/status");
    int len = text_read_line(path, "NSpid:", line, sizeof line), count = 0;
    if (len < 0)
        return len;
    uint64_t number;
    for (const char *at = line, *end = line + len; at < end; at++) {
        if (*at < '0' || *at > '9')
            continue;
        if (count == PROCESS_PIDS || !text_take_uint(&at, end, INT32_MAX, &number))
            return -ERANGE;
        pids[count++] = (pid_t)number;
    }
    return count;
}

/* A living process of a pid namespace below this one. */
struct nested {
    pid_t pids[PROCESS_PIDS];
    int count;
    uint32_t pid_namespace;
    struct process_stat line;
};

/* What look_at() finds: a process of a namespace below; another one, or a zombie; or it cannot tell. */
enum sight { SIGHT_NESTED, SIGHT_OTHER, SIGHT_UNKNOWN };

static enum sight look_at(struct nested *process, pid_t here)
{
    char path[32];
    process->count = process_pids(here, process->pids);
    if (process->count <= 0)
        return SIGHT_UNKNOWN;
    if (process->count == 1)
        return SIGHT_OTHER;
    if (!process_read_stat(here, &process->line))
        return SIGHT_UNKNOWN;
    if (!process_is_living(&process->line))
        return SIGHT_OTHER;
    struct text name = text_in(path, sizeof path);
    proc_path(&name, here, "/ns/pid");
    process->pid_namespace = namespace_inode(path);
    return process->pid_namespace != 0 ? SIGHT_NESTED : SIGHT_UNKNOWN;
}

/*
 * Whether this is the wanted process. The lease may have been made in a namespace between ours and the
 * process's own, under its pid there. /proc does not tell which namespace that is, so the pid alone has to
 * match.
 */
static bool is_called(const struct nested *process, const struct process_elsewhere *wanted)
{
    int last = process->count - 1;
    bool called = process->pids[last] == wanted->pid && process->pid_namespace == wanted->pid_namespace;
    for (int i = 1; i < last; i++)
        called = called || process->pids[i] == wanted->pid;
    return called && has_start(&process->line, wanted->start_time);
}

/* Whether /proc shows this process all others: it is in the initial pid namespace, /proc is mounted for that
 * one, and hides nobody (proc(5), hidepid). */
static bool sees_everything(void)
{
    struct stat st;
    return process_is_in_initial_pid_namespace() && proc_is_of_our_namespace() && stat("/proc/1", &st) == 0;
}

/* Unsets `gone` for those of the wanted that process `here` may be. False when that cannot be known. */
static bool look_for(struct process_elsewhere *wanted, unsigned count, pid_t here)
{
    struct nested process;
    enum sight sight = look_at(&process, here);
    if (sight == SIGHT_UNKNOWN)
        return !is_there(here);
    for (unsigned i = 0; sight == SIGHT_NESTED && i < count; i++)
        wanted[i].gone = wanted[i].gone && !is_called(&process, &wanted[i]);
    return true;
}

static bool look_through(struct process_elsewhere *wanted, unsigned count)
{
    union {
        struct dirent64 entry;
        char bytes[8192];
    } buffer;
    ssize_t got;
    bool known = true;
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while (known && (got = getdents64(fd, (void *)&buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; known && at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            const char *digits = entry->d_name;
            uint64_t here;
            at += entry->d_reclen;
            if (text_take_uint(&digits, digits + strlen(digits), INT32_MAX, &here) && *digits == '\0')
                known = look_for(wanted, count, (pid_t)here);
        }
    close(fd);
    return known && got == 0;
}

void process_look_elsewhere(struct process_elsewhere *wanted, unsigned count)
{
    bool able = sees_everything();
    for (unsigned i = 0; i < count; i++)
        wanted[i].gone = able;
    if (able && !look_through(wanted, count))
        for (unsigned i = 0; i < count; i++)
            wanted[i].gone = false;
}

uint64_t process_date(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

uint64_t process_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec - ahead_of_initial().nanoseconds;
}
