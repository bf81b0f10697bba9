#include "trap/status.h"

#include "base/text.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CAPABILITY_NET_ADMIN = 12, CAPABILITY_NET_RAW = 13 }; /* include/uapi/linux/capability.h */

enum { STATUS_SIZE = 16384 /* a process may be in thousands of groups, which are listed */ };

static bool number_of(const char *text, const char *name, int base, uint64_t *number)
{
    const char *line = strstr(text, name); /* begins with a newline */
    if (line == NULL)
        return false;
    *number = strtoull(line + strlen(name), NULL, base);
    return true;
}

bool status_parse(const char *text, struct status *status)
{
    uint64_t group, tracer, threads;
    const char *state = strstr(text, "\nState:\t");
    if (state == NULL || !number_of(text, "\nTgid:", 10, &group) ||
        !number_of(text, "\nTracerPid:", 10, &tracer) || !number_of(text, "\nThreads:", 10, &threads) ||
        !number_of(text, "\nSigPnd:", 16, &status->own_pending) ||
        !number_of(text, "\nShdPnd:", 16, &status->group_pending) ||
        !number_of(text, "\nSigBlk:", 16, &status->blocked) ||
        !number_of(text, "\nCapEff:", 16, &status->capabilities))
        return false;
    status->is_stopped = state[strlen("\nState:\t")] == 'T'; /* by a tracer it is 't' */
    status->group = (pid_t)group;
    status->tracer = (pid_t)tracer;
    status->threads = (unsigned)threads;
    return true;
}

static struct text path_of(char *path, size_t size, pid_t process, const char *rest)
{
    struct text t = text_in(path, size);
    text_str(&t, "/proc/");
    text_uint(&t, (uint64_t)process);
    text_str(&t, rest);
    return t;
}

bool status_read(pid_t thread, struct status *status)
{
    char text[STATUS_SIZE];
    char path[64];
    path_of(path, sizeof path, thread, "/status");
    return thread > 0 && text_read_once(path, text, sizeof text) > 0 && status_parse(text, status);
}

/* Whether the first other thread of the group that can be looked at has been stopped. The whole group stops
 * then, and the kernel has told each thread to. */
static bool group_stops(pid_t thread, pid_t group)
{
    char path[64];
    struct status other = {.is_stopped = false};
    path_of(path, sizeof path, group, "/task");
    DIR *threads = opendir(path);
    bool found = false;
    for (const struct dirent *entry; !found && threads != NULL && (entry = readdir(threads)) != NULL;) {
        pid_t number = (pid_t)strtoul(entry->d_name, NULL, 10);
        found = number > 0 && number != thread && status_read(number, &other);
    }
    if (threads != NULL)
        closedir(threads);
    return found && other.is_stopped;
}

enum interruption status_interruption(pid_t thread, const struct status *status, bool was_traced)
{
    uint64_t own = status->own_pending & ~status->blocked, group = status->group_pending & ~status->blocked;
    if (own != 0 || (group != 0 && status->threads == 1))
        return INTERRUPTION_CERTAIN;
    if (status->threads > 1 && group_stops(thread, status->group))
        return INTERRUPTION_CERTAIN;
    return group != 0 || (status->tracer != 0 && !was_traced) ? INTERRUPTION_POSSIBLE : INTERRUPTION_NONE;
}

bool status_is_network_admin(pid_t thread)
{
    const uint64_t needed = UINT64_C(1) << CAPABILITY_NET_ADMIN | UINT64_C(1) << CAPABILITY_NET_RAW;
    struct status status;
    struct stat own, its;
    char path[64];
    path_of(path, sizeof path, thread, "/ns/user");
    return status_read(thread, &status) && (status.capabilities & needed) == needed &&
           stat("/proc/self/ns/user", &own) == 0 && stat(path, &its) == 0 && own.st_ino == its.st_ino &&
           own.st_dev == its.st_dev;
}
