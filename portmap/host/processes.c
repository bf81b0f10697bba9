#include "host/processes.h"

#include "host/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool processes_each(bool (*visit)(pid_t pid, void *context), void *context)
{
    union {
        struct dirent64 entry;
        char bytes[512];
    } buffer;
    ssize_t got = -1;
    bool more = true;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (proc >= 0 && more && (got = getdents64(proc, (void *)&buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; more && at < got;) {
            const struct dirent64 *entry = (const void *)(buffer.bytes + at);
            at += entry->d_reclen;
            long pid = strtol(entry->d_name, NULL, 10);
            if (pid > 0)
                more = visit((pid_t)pid, context);
        }
    if (proc >= 0)
        close(proc);
    return got >= 0;
}

/* Opens a file of any thread but the first one. Only that may have ended before its process. */
static int open_of_other_thread(pid_t pid, const char *file)
{
    char path[64];
    int fd = -ESRCH;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return -errno;
    for (struct dirent *entry; fd < 0 && (entry = readdir(threads)) != NULL;) {
        long thread = strtol(entry->d_name, NULL, 10);
        if (thread <= 0 || thread == pid)
            continue;
        snprintf(path, sizeof path, "%ld/%s", thread, file);
        fd = openat(dirfd(threads), path, O_RDONLY | O_CLOEXEC);
        fd = fd < 0 ? -errno : fd;
    }
    closedir(threads);
    return fd;
}

static int open_file(pid_t pid, const char *file)
{
    char path[64];
    struct process_stat line;
    if (process_read_stat(pid, &line) && line.state == 'Z' && line.threads > 1)
        return open_of_other_thread(pid, file);
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int find_in(const char *bytes, size_t len, const struct processes_text *texts, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (memmem(bytes, len, texts[i].bytes, texts[i].len) != NULL)
            return (int)i;
    return -ENODATA;
}

int processes_find(pid_t pid, const char *file, const struct processes_text *texts, unsigned count)
{
    static char buffer[65536];
    size_t kept = 1;
    ssize_t got = 0;
    int found = -ENODATA, fd = open_file(pid, file);
    if (fd < 0)
        return fd;
    buffer[0] = '\0';
    while (found < 0 && (got = read(fd, buffer + kept, sizeof buffer - kept)) > 0) {
        size_t have = kept + (size_t)got;
        found = find_in(buffer, have, texts, count);
        kept = have < PROCESSES_TEXT ? have : PROCESSES_TEXT; /* a text may lie across two reads */
        memmove(buffer, buffer + have - kept, kept);
    }
    if (got < 0)
        found = -errno;
    close(fd);
    return found;
}
