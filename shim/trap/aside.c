#include "trap/aside.h"

#include "base/kernel.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The trap needs a kernel that has close_range(2), but a container's profile may lack it. */
static void close_between(unsigned first, unsigned last)
{
    enum { USUAL = 65536 };
    if (first > last || kernel_call(SYS_close_range, first, last, 0) == 0)
        return;
    for (unsigned fd = first; fd <= last && fd < USUAL; fd++)
        kernel_close((int)fd);
}

static unsigned next_kept(const int *kept, unsigned count, unsigned from)
{
    unsigned next = ~0U;
    for (unsigned i = 0; i < count; i++)
        if ((unsigned)kept[i] >= from && (unsigned)kept[i] < next)
            next = (unsigned)kept[i];
    return next;
}

void aside_let_go(const int *kept, unsigned count)
{
    unsigned from = 0, next;
    while ((next = next_kept(kept, count, from)) != ~0U) {
        if (next > from)
            close_between(from, next - 1);
        from = next + 1;
    }
    close_between(from, ~0U);
    for (int fd = 0; fd >= 0 && fd < STDERR_FILENO;)
        fd = open("/dev/null", O_RDWR);
    if (chdir("/") != 0)
        return; /* it may not be searched: then this process stays where it is */
}

/* prlimit(2), whose numbers have 64 bits on every machine. */
static void lift(int resource)
{
    struct {
        uint64_t soft, hard;
    } limit;
    if (kernel_call(SYS_prlimit64, 0, resource, NULL, &limit) != 0)
        return;
    limit.soft = limit.hard;
    kernel_call(SYS_prlimit64, 0, resource, &limit, NULL);
}

void aside_lift_limits(void)
{
    const struct rlimit none = {0};
    lift(RLIMIT_NOFILE);
    lift(RLIMIT_AS);
    lift(RLIMIT_DATA);
    lift(RLIMIT_CPU);
    lift(RLIMIT_FSIZE);
    setrlimit(RLIMIT_CORE, &none);
}

/* A number of proc(5), stat, counted as there; 0 when there is none. */
static uint64_t number_of_stat(unsigned field)
{
    char line[1024];
    uint64_t number = 0;
    if (text_read_once("/proc/self/stat", line, sizeof line) < 0)
        return 0;
    const char *at = strrchr(line, ')'), *end = line + strlen(line);
    for (unsigned i = 2; at != NULL && i < field; i++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    at++;
    return text_take_uint(&at, end, UINT64_MAX, &number) ? number : 0;
}

void aside_set_name(const char *role, pid_t pid)
{
    enum { ARG_START = 48, ARG_END = 49 };
    char name[64];
    struct text t = text_in(name, sizeof name);
    text_str(&t, "portshim ");
    text_str(&t, role);
    size_t least = t.used;
    text_char(&t, ' ');
    text_uint(&t, (uint64_t)pid);
    uint64_t from = number_of_stat(ARG_START), to = number_of_stat(ARG_END);
    if (from == 0 || to <= from + least)
        return; /* without /proc nobody reads it either */
    size_t room = (size_t)(to - from), used = t.used < room ? t.used : least; /* no half pid */
    char *line = (char *)(uintptr_t)from;
    memcpy(line, name, used); /* first, as portshim stop knows these processes by their names */
    memset(line + used, 0, room - used);
}
