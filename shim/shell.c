/*
 * system(3), popen(3) and wordexp(3): libc starts the shell by itself, with `environ` as it is.
 *
 * Only where the program emptied its environment, that is replaced for the time of the call by one that has
 * the run. Another thread that sets a variable meanwhile makes libc copy the array; then its copy stays.
 */
#include "attach.h"
#include "carry.h"

#include <stdint.h>
#include <stdio.h>
#include <wordexp.h>

extern char **environ;

struct replaced {
    char **own, **ours;
};

static struct replaced replace(char *const *carried)
{
    struct replaced replaced = {.own = environ, .ours = (char **)(uintptr_t)carried};
    if (replaced.own != replaced.ours)
        environ = replaced.ours;
    return replaced;
}

static void restore(struct replaced replaced)
{
    if (environ == replaced.ours)
        environ = replaced.own;
}

int system(const char *command)
{
    const struct next *libc = next();
    struct replaced replaced = replace(CARRY(environ));
    int status = libc->system(command);
    restore(replaced);
    return status;
}

FILE *popen(const char *command, const char *mode)
{
    const struct next *libc = next();
    struct replaced replaced = replace(CARRY(environ));
    FILE *stream = libc->popen(command, mode);
    restore(replaced);
    return stream;
}

int wordexp(const char *restrict words, wordexp_t *restrict expanded, int flags)
{
    const struct next *libc = next();
    struct replaced replaced = replace(CARRY(environ));
    int error = libc->wordexp(words, expanded, flags);
    restore(replaced);
    return error;
}
