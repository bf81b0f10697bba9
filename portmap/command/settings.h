/*
 * Files of settings: a word a line, maybe with a value, and # before comments. What the words mean is the
 * reader's affair (command/run_options.h).
 */
#ifndef PORTMAP_COMMAND_SETTINGS_H
#define PORTMAP_COMMAND_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A line that is neither empty nor a comment. */
struct settings_line {
    const char *file;      /* its name, to show */
    const char *directory; /* a path to the directory in which the file lies */
    unsigned number;       /* from 1 */
    const char *text;      /* without the comment, and without blanks around it; it begins with the word */
    size_t word_length;    /* in bytes */
    const char *value;     /* what stands behind the word, blanks or '='; empty when there is nothing */
};

typedef void settings_take(const struct settings_line *line, void *context);

/* Both call take() for each line, or fail. To be called once in a process, as the lines stay valid. */

/* Reads the file that the user has named. */
void settings_read(const char *file, settings_take *take, void *context);

/*
 * Reads the nearest .portshim, from the working directory up to the root of its git worktree
 * (command/worktree.h); outside of any worktree, that of the working directory. One that is not this user's
 * own is left alone, with a warning unless `quiet`, and ends the search.
 */
void settings_find(bool quiet, settings_take *take, void *context);

#endif
