/*
 * What `portshim run` is told, and where from: options, a file given with -f, the environment, or a
 * `.portshim` found in the working directory, the first of these that says it.
 */
#ifndef PORTMAP_COMMAND_RUN_OPTIONS_H
#define PORTMAP_COMMAND_RUN_OPTIONS_H

#include "run/portset.h"

#include <stdbool.h>

enum { RUN_MOST_FILES = 16 };

/* One thing that can be said. */
enum run_setting {
    RUN_PORTS,
    RUN_NAME,
    RUN_MAP,
    RUN_REVEAL,
    RUN_REQUIRE_BIND,
    RUN_REQUIRE_PORTSERVER,
    RUN_STRICT,
    RUN_SETTINGS
};

/* A higher one is heard first. */
enum run_source {
    RUN_FROM_DEFAULT,
    RUN_FROM_FOUND_FILE,
    RUN_FROM_ENVIRONMENT,
    RUN_FROM_FILE,
    RUN_FROM_OPTION
};

struct run_options {
    struct portset ports;
    char *ports_text; /* as written, for people; NULL when none are given */
    const char *name, *join;
    char *files[RUN_MOST_FILES + 1]; /* absolute */
    unsigned file_count;
    bool reveal, require_bind, require_server, strict;
    bool verbose, quiet, check;
    char **command;

    const char *settings_file; /* of -f */
    enum run_source source[RUN_SETTINGS];
    unsigned line[RUN_SETTINGS]; /* where it is from a file */
};

/* Reads everything, or fails: nothing that makes no sense is left afterwards, whether there is a command or
 * not. */
void run_options_read(struct run_options *options, int argc, char **argv);

/* `run -c`: what would be in force, as lines of a `.portshim`, each with a comment that says where from. */
void run_options_print(const struct run_options *options);

#endif
