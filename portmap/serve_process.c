#include "serve_process.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not by the owner of /proc/PID: that is root's where a process has dropped its privileges. */
bool serve_process_look(pid_t pid, uid_t *uid, bool *foreign)
{
    char path[32], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (text_read_file(path, status, sizeof status) <= 0)
        return false;
    const char *ids = strstr(status, "\nUid:"), *pids = strstr(status, "\nNSpid:");
    if (ids == NULL)
        return false;
    *uid = (uid_t)strtoul(ids + strlen("\nUid:"), NULL, 10);
    *foreign = false;
    if (pids != NULL) {
        /* proc(5): a number for each namespace, from the reader's inwards. */
        char *inner;
        strtoul(pids + strlen("\nNSpid:"), &inner, 10);
        *foreign = *inner != '\n';
    }
    return true;
}
