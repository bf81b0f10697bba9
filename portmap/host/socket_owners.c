#include "host/socket_owners.h"

#include "base/text.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    unsigned long one = *(const unsigned long *)a, other = *(const unsigned long *)b;
    return one < other ? -1 : one > other;
}

/* The inode number in a link such as "socket:[12345]"; 0 when the descriptor is no socket. */
static unsigned long socket_inode(int dir, const char *name)
{
    char link[64];
    ssize_t len = readlinkat(dir, name, link, sizeof link - 1);
    if (len <= 0)
        return 0;
    link[len] = '\0';
    return strncmp(link, "socket:[", 8) == 0 ? strtoul(link + 8, NULL, 10) : 0;
}

struct looking {
    const unsigned long *inodes;
    unsigned count;
    socket_owner_visit *visit;
    void *context;
};

/* Several descriptors in a row are often of one socket, which is then visited once. */
static void look_into(const struct looking *looking, pid_t pid)
{
    char path[32];
    unsigned long last = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    if (fds == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(fds)) != NULL;) {
        unsigned long inode = socket_inode(dirfd(fds), entry->d_name);
        if (inode == 0 || inode == last)
            continue;
        const unsigned long *found = bsearch(&inode, looking->inodes, looking->count, sizeof inode, compare);
        if (found != NULL)
            looking->visit((unsigned)(found - looking->inodes), pid, looking->context);
        last = inode;
    }
    closedir(fds);
}

void socket_owners(const unsigned long *inodes, unsigned count, socket_owner_visit *visit, void *context)
{
    const struct looking looking = {inodes, count, visit, context};
    DIR *proc = count > 0 ? opendir("/proc") : NULL;
    if (proc == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0)
            look_into(&looking, (pid_t)pid);
    }
    closedir(proc);
}

void process_name(pid_t pid, char *name, size_t size)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    int len = text_read_file(path, name, size);
    name[len > 0 ? strcspn(name, "\n") : 0] = '\0';
}

char *process_command(pid_t pid)
{
    char path[32], name[32], *command = NULL;
    size_t size = 2048;
    int len;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    do {
        free(command);
        size *= 2;
        command = malloc(size);
        len = command != NULL ? text_read_file(path, command, size) : 0;
    } while (len == (int)size - 1);
    while (len > 0 && command[len - 1] == '\0')
        len--;
    for (int i = 0; i < len; i++)
        if (command[i] == '\0')
            command[i] = ' ';
    if (len > 0) {
        command[len] = '\0';
        return command;
    }
    free(command);
    process_name(pid, name, sizeof name);
    return asprintf(&command, "[%s]", name) < 0 ? NULL : command;
}
