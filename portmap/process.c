#include "process.h"

#include "text.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct stat_line {
    char state;
    uint64_t start_time;
};

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

static bool read_stat(pid_t pid, struct stat_line *line)
{
    char path[32], buffer[1024];
    struct text name = text_in(path, sizeof path);
    text_str(&name, "/proc/");
    text_uint(&name, (uint64_t)pid);
    text_str(&name, "/stat");
    int len = text_read_file(path, buffer, sizeof buffer);
    if (len <= 0)
        return false;
    /* Field 2 is the command in parentheses, and may hold any character: count from the last one. */
    const char *at = strrchr(buffer, ')');
    if (at == NULL || at[1] != ' ')
        return false;
    at += 2;
    line->state = *at;
    for (int field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return false;
        at++;
    }
    return text_take_uint(&at, buffer + len, UINT64_MAX / 16, &line->start_time);
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

uint32_t process_net_namespace(void)
{
    return namespace_inode("/proc/self/ns/net");
}

bool process_is_alive(pid_t pid, uint64_t start_time)
{
    struct stat_line line;
    return read_stat(pid, &line) && line.start_time == start_time && line.state != 'Z' && line.state != 'X';
}

uint64_t process_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
