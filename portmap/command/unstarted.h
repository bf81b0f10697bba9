/*
 * Why a command was not started, in words that say what to do.
 */
#ifndef PORTMAP_COMMAND_UNSTARTED_H
#define PORTMAP_COMMAND_UNSTARTED_H

#include <limits.h>
#include <stdbool.h>

struct unstarted {
    char why[PATH_MAX + 64], remedy[PATH_MAX + 128]; /* what does not fit ends in "..." */
};

/* Why search_command() has not found the command; `error` is its result. */
void unstarted_search(struct unstarted *unstarted, const char *command, int error);

/* Why the kernel has not executed the file; `error` is a negated errno of execve(2). */
void unstarted_exec(struct unstarted *unstarted, const char *file, int error);

/* Whether a file that the kernel knows no format of is a text: execvp(3) and shells give it to /bin/sh. */
bool unstarted_is_for_the_shell(const char *file);

#endif
