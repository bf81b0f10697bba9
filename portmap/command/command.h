/*
 * What the subcommands of `portshim` share: how they fail, and how they read their words.
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
    COMMAND_FAILED = 125, /* portshim itself failed; the other codes are those of env(1) */
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
int command_stop(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_trapped(int argc, char **argv);

/*
 * Prints "portshim: what: why: remedy" on stderr and exits with that status. `what` is a printf format for
 * the arguments after it.
 */
_Noreturn void command_end(int status, const char *why, const char *remedy, const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the status of portshim's own failures: command_fail(why, remedy, what, ...). */
#define command_fail(...) command_end(COMMAND_FAILED, __VA_ARGS__)

/* Has command_end() call this before it exits; NULL: nothing any more. */
void command_before_end(void (*call)(int status));

/* The same for a problem that another module has described. */
_Noreturn void command_fail_of(const struct problem *problem);

/* Fails because the command could not be started: `error` as in struct launch_failure. `file` is its file;
 * NULL: that of command_find_program(). */
_Noreturn void command_end_unstarted(int error, const char *command, const char *file);

/* Prints "portshim: warning: what: why: remedy" and returns. */
void command_warn(const char *why, const char *remedy, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints the line of a failure and returns, for a command that goes on with what is left to do. */
void command_complain(const char *why, const char *remedy, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Block and unblock the signals that would end this command. A command blocks them while it has leased
 * something that it has neither handed over nor given back. Ignored signals stay ignored.
 */
void command_hold_signals(void);
void command_let_signals(void);

/* Whether a signal that command_hold_signals() blocked is pending. */
bool command_must_end(void);

/* Ignores SIGXFSZ: writing beyond RLIMIT_FSIZE fails with EFBIG from here on, and does not end portshim. */
void command_outlive_file_limit(void);

/* Takes that back, for a program that is executed. */
void command_put_back_file_limit(void);

/* From here on a file that is cut short while it is mapped reads as zeroes behind its end, instead of ending
 * portshim by SIGBUS. Other users' processes of a run may cut its late tables short. */
void command_outlive_cut_files(void);

/* Executes the command of command_find_program(), with SIGXFSZ as portshim found it. Returns only on failure,
 * with the errno. */
int command_execute(char **words);

/* Prints text from elsewhere unchanged; on a terminal without characters that would control it. */
void command_print_text(FILE *out, const char *text);

/* To be called after all output: returns status, or fails when stdout could not be written. */
int command_printed(int status);

/* Prints the text on stdout and exits 0, or fails when stdout cannot be written. */
_Noreturn void command_help(const char *text);

/*
 * The next option as of getopt_long(3), -1 after the last. Answers --help, and fails at an option that is
 * unknown, ambiguous, or lacks its argument, with what may be meant. Options stand before operands: unless
 * the letters begin with "+", because a command with options of its own follows, one behind is refused with
 * the line to write.
 */
int command_option(int argc, char **argv, const char *letters, const struct option *words, const char *help,
                   const char *see_help);

/* Reads all options of a command whose only option is --help. */
void command_no_option(int argc, char **argv, const char *help, const char *see_help);

/* Reads a number from 1 to most; 0 for any other word. */
unsigned command_number(const char *word, unsigned most);

/* Reads a number of seconds such as 10 or 0.5 and returns nanoseconds, or fails. */
uint64_t command_seconds(const char *word);

/* Adds the ports that spec lists, or fails. */
void command_add_ports(struct portset *ports, const char *spec);

/* The port server to ask for leases of that process; fails when one is required and none is named. */
struct obtain_server command_port_server(pid_t pid, bool required);

/* Where the port server failed: warns that the lease table was used, or fails when the server is required.
 * Also warns where it gave ordinary ports to a run with a key. */
void command_check_server(const struct obtain_server *server, bool quiet);

/* Finds a command's file and what it is. Fails when it is missing or not executable. The path in *reach is
 * valid until the next call. */
void command_find_program(const char *command, struct reach *reach);

/* Fails when a program is of another ELF class or machine than the library. */
void command_check_class(const struct reach *reach);

/* A command and its arguments as one line to show; one too long for the map is cut and ends in "...". */
char *command_line(char **words);

/* Opens those of descriptors 0 to 2 that are closed, read-only, so that no socket gets such a number and
 * writing there still fails. */
void command_fill_standard(void);

/* Closes all descriptors from `first` on, also where the kernel lacks close_range(2). */
void command_close_from(int first);

/* Fails because there is no living run that the word means: `error` is of find_run() or watch_find(). Says
 * what has become of the last one. */
_Noreturn void command_fail_of_run(const struct home *home, const char *word, int error, const char *remedy);

/* Finds the living run that watch->word means, or fails, and calls watch_look_after(). */
void command_look_at_run(struct watch *watch);

/* Opens the home, or fails. */
void command_open_home(struct home *home);

/* Reads the pool from the environment, or fails. Unless quiet, warns when the pool is the fallback one. */
void command_load_pool(struct pool *pool, int quiet);

/* The same in two steps, where the pool may not be needed: pool_choose() before, and the warning after. */
void command_choose_pool(struct pool *pool);
void command_warn_of_pool(const struct pool *pool);

#endif
