/*
 * The settings of `portshim run`, and where each is from. The sources are, in this order: options, a file
 * given with -f, the environment, the `.portshim` of settings_find(). The first that sets it wins.
 */
#ifndef PORTMAP_COMMAND_RUN_OPTIONS_H
#define PORTMAP_COMMAND_RUN_OPTIONS_H

#include "run/name.h"
#include "run/portset.h"

#include <stdbool.h>

enum { RUN_MOST_FILES = 16 };

/* What may be set in a file. */
enum run_setting {
    RUN_PORTS,
    RUN_NAME,
    RUN_KEY,
    RUN_MAP,
    RUN_TRAP,
    RUN_REVEAL,
    RUN_REQUIRE_BIND,
    RUN_REQUIRE_PORTSERVER,
    RUN_STRICT,
    RUN_SETTINGS
};

/* Which programs are started under the trap. */
enum run_trap {
    RUN_TRAP_AUTO, /* those that the library does not reach */
    RUN_TRAP_ON,   /* all */
    RUN_TRAP_OFF
};

/* A later one overrides an earlier one. */
enum run_source {
    RUN_FROM_DEFAULT,
    RUN_FROM_FOUND_FILE,
    RUN_FROM_ENVIRONMENT,
    RUN_FROM_FILE,
    RUN_FROM_OPTION
};

struct run_options {
    struct portset ports;
    char *ports_text; /* the ports as written, to show; NULL when none are given */
    const char *name, *join;
    const char *key;                 /* for "." the directory's path */
    const char *key_directory;       /* of the last file with a key in it */
    char *files[RUN_MOST_FILES + 1]; /* absolute */
    unsigned file_count;
    bool reveal, require_bind, require_server, strict;
    enum run_trap trap;
    bool verbose, quiet, check;
    char **command;

    const char *settings_file;               /* the argument of -f */
    const char *found_file;                  /* the .portshim that was read, to show */
    char expanded_name[NAME_MAX_LENGTH + 1]; /* for a name with %d or %b */
    enum run_source source[RUN_SETTINGS];
    unsigned line[RUN_SETTINGS]; /* in the file, for settings from one */
};

/* Reads and checks all settings, or fails. */
void run_options_read(struct run_options *options, int argc, char **argv);

/* Whether a word is an option of `portshim run`; a long one may be cut short. */
bool run_options_has(const char *word);

/* The trap that PORTSHIM_TRAP asks for; RUN_TRAP_AUTO where it is unset or empty. Fails when it is no such
 * word. */
enum run_trap run_options_trap(void);

/* `run -c`: prints the settings as lines of a `.portshim`, each with its source as a comment. */
void run_options_print(const struct run_options *options);

#endif
