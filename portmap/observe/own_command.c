#include "observe/own_command.h"

#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The second word of a command line of portshim; NULL when it is another program's. Those of the trap have
 * all words in one string (shim/trap/aside.h). */
static const char *word_of_portshim(const char *line, int len)
{
    static const char own[] = "portshim ";
    if (len <= 0)
        return NULL;
    if (strncmp(line, own, sizeof own - 1) == 0)
        return line + sizeof own - 1;
    const char *end = line + strlen(line), *slash = strrchr(line, '/');
    bool is_portshim = strcmp(slash != NULL ? slash + 1 : line, "portshim") == 0;
    return is_portshim && end < line + len ? end + 1 : NULL;
}

void own_command(pid_t pid, char word[static OWN_COMMAND_SIZE])
{
    char path[64], line[PATH_MAX + 64];
    struct text t = text_in(word, OWN_COMMAND_SIZE);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    const char *at = word_of_portshim(line, text_read_once(path, line, sizeof line));
    if (at != NULL)
        text_bytes(&t, at, strcspn(at, " "));
}

bool own_command_is_supervisor(pid_t pid)
{
    char word[OWN_COMMAND_SIZE];
    own_command(pid, word);
    return strcmp(word, "trap") == 0;
}
