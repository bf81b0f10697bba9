/*
 * Which command of portshim a process is: those of the trap take part in what the programs of a run do, and
 * are none of these programs.
 */
#ifndef PORTMAP_OBSERVE_OWN_COMMAND_H
#define PORTMAP_OBSERVE_OWN_COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

/* For the name of a command of portshim; a longer word is none. */
enum { OWN_COMMAND_SIZE = 16 };

/* The command's name ("run", "wait", "trap" ...) in word[], by the process's command line; empty for another
 * program, and for one that cannot be looked at. */
void own_command(pid_t pid, char word[static OWN_COMMAND_SIZE]);

/* Whether the process is a supervisor of trapped programs. While it binds a socket for one of them, it has a
 * copy of that socket. */
bool own_command_is_supervisor(pid_t pid);

#endif
