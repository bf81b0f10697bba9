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
    const char *file;   /* its name, to show */
    unsigned number;    /* from 1 */
    const char *text;   /* without the comment, and without blanks around it; it begins with the word */
    size_t word_length; /* in bytes */
    const char *value;  /* what stands behind the word, blanks or '='; empty when there is nothing */
};

typedef void settings_take(const struct settings_line *line, void *context);

/* Both call take() for each line, or fail. To be called once in a process, as the lines stay valid. */

/* Reads the file that the user has named. */
void settings_read(const char *file, settings_take *take, void *context);

/* Reads the .portshim of the working directory, if there is one and it is this user's own; one that is not
 * is left alone, with a warning unless `quiet`. */
void settings_find(bool quiet, settings_take *take, void *context);

#endif
