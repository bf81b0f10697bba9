#include "serve/process.h"

#include "base/text.h"
#include "host/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* The owner of /proc/PID would not do: it is root for a process that has dropped its privileges. */
bool serve_process_look(pid_t pid, uid_t *uid, bool *foreign)
{
    char path[32], uids[64];
    pid_t pids[PROCESS_PIDS];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (text_read_line(path, "Uid:", uids, sizeof uids) < 0)
        return false;
    *uid = (uid_t)strtoul(uids, NULL, 10);
    int count = process_pids(pid, pids);
    *foreign = count > 1;
    return count >= 0 || count == -ENODATA;
}

bool serve_process_has_ended(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    return pidfd >= 0 && poll(&ended, 1, 0) == 1;
}
