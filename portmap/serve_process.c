#include "serve_process.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Not by the owner of /proc/PID: that is root's where a process has dropped its privileges. */
bool serve_process_look(pid_t pid, uid_t *uid, bool *foreign)
{
    char path[32], uids[64], pids[512];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (text_read_line(path, "Uid:", uids, sizeof uids) < 0)
        return false;
    *uid = (uid_t)strtoul(uids, NULL, 10);
    /* proc(5): a number for each namespace, from the reader's inwards. */
    int len = text_read_line(path, "NSpid:", pids, sizeof pids);
    char *inner = pids;
    if (len >= 0)
        strtoul(pids, &inner, 10);
    *foreign = len >= 0 && *inner != '\0';
    return len >= 0 || len == -ENODATA; /* a kernel before 4.1 does not tell */
}
