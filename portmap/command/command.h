/*
 * What the subcommands of `portshim` share: how they fail, and how they read a list of ports.
 */
#ifndef PORTMAP_COMMAND_COMMAND_H
#define PORTMAP_COMMAND_COMMAND_H

#include "lease/home.h"
#include "lease/pool.h"
#include "observe/watch.h"
#include "program/reach.h"
#include "run/map.h"
#include "run/obtain.h"
#include "run/portset.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    COMMAND_TIMED_OUT = 124,
    COMMAND_FAILED = 125, /* of our own; the rest as env(1) */
    COMMAND_NOT_EXECUTABLE = 126,
    COMMAND_NOT_FOUND = 127,
};

int command_run(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_port(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_env(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_ports(int argc, char **argv);
int command_pick(int argc, char **argv);
int command_release(int argc, char **argv);
int command_serve(int argc, char **argv);

/*
 * "portshim: what: why: what to do" on stderr, and the end, with that status. `what` is a printf format for
 * the arguments after it.
 */
_Noreturn void command_end(int status, const char *why, const char *remedy, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a failure of our own: command_fail(why, remedy, what, ...). */
#define command_fail(...) command_end(COMMAND_FAILED, __VA_ARGS__)

/* The same, of what another module has found wrong. */
_Noreturn void command_fail_of(const struct problem *problem);

/* The end of a command that could not be started: `error` as supervise() has it. */
_Noreturn void command_end_unstarted(int error, const char *command);

/* The same line as a warning; the caller goes on. */
void command_warn(const char *why, const char *remedy, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Holds back the signals that would end this command, from before it leases something until that is where it
 * belongs or given back, and lets them come then. Those that are ignored stay so.
 */
void command_hold_signals(void);
void command_let_signals(void);

/* Whether one has come that is held back. */
bool command_must_end(void);

/* From here on a file that may grow no further, stdout perhaps, is an error of writing to it (RLIMIT_FSIZE)
 * and not the end by SIGXFSZ. */
void command_outlive_file_limit(void);

/* Executes a command, which finds the signals as we found them. Returns only with the errno of a failure. */
int command_execute(char **words);

/* Prints a text that somebody else may have written: as it is, but nothing that a terminal would obey to one.
 */
void command_print_text(FILE *out, const char *text);

/* The status of a command that has printed all it had to; fails where stdout did not take it. */
int command_printed(int status);

/* Prints the text on stdout and exits 0, likewise. */
_Noreturn void command_help(const char *text);

/* The next option, -1 at the end, as getopt_long(3) has it. Answers --help, and refuses what is none. */
int command_option(int argc, char **argv, const char *letters, const struct option *words, const char *help,
                   const char *see_help);

/* The same for all of a command that knows --help alone. */
void command_no_option(int argc, char **argv, const char *help, const char *see_help);

/* The number that a word is, from 1 to most; 0 for any other word. */
unsigned command_number(const char *word, unsigned most);

/* Nanoseconds of a number of seconds such as 10 or 0.5, or fails. */
uint64_t command_seconds(const char *word);

/* Adds to a port set, or fails. */
void command_add_ports(struct portset *ports, const char *spec);

/* Checks "RUN PORT..." before anything is waited for: both there, each PORT well written and naming one. */
void command_check_run_and_ports(int count, char **words, const char *help);

/*
 * Prints the real ports of the placeholders in words, one a line, in the order given; fails at one that the
 * map does not have. Returns the exit status.
 */
int command_print_ports(const struct map *map, const char *run, char **words);

/* The port server to ask for that process's leases; fails when one is required and none is named. */
struct obtain_server command_port_server(pid_t pid, bool required);

/* Warns of a server that has been given up for the lease table, or fails where it is required. */
void command_check_server(const struct obtain_server *server, bool quiet);

/* Finds a command and judges it, or fails: it must be there, executable, and of the library's class. The path
 * in *reach is good until the next call. */
void command_find_program(const char *command, struct reach *reach);

/* A command and its arguments as a line, for people; a long one, which the map has no room for, ends in
 * "...". */
char *command_line(char **words);

/* Opens those of 0 to 2 that are closed, so that no socket becomes one of them. Writing there fails still. */
void command_fill_standard(void);

/* Closes all descriptors from `first` on, also where neither libc nor the kernel has close_range(2). */
void command_close_from(int first);

/* Finds the living run that watch->word means, or fails; does for it what watch_look_after() does. */
void command_look_at_run(struct watch *watch);

/* Opens the home, or fails. */
void command_open_home(struct home *home);

/* Reads the pool from the environment, or fails; a fallback is warned of. */
void command_load_pool(struct pool *pool, int quiet);

#endif
