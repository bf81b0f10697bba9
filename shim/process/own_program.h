/*
 * What the program of this process is, by what of its file is in memory: the same as program/elf.h tells of a
 * file, without a system call.
 */
#ifndef SHIM_PROCESS_OWN_PROGRAM_H
#define SHIM_PROCESS_OWN_PROGRAM_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A Go program, which makes system calls without libc. */
bool own_program_is_go(void);

/* The command portshim, which has the library where it was linked dynamically. The name, which the library
 * gives it too, spares other programs the look. */
bool own_program_has_note(void);
static inline bool own_program_is_portshim(void)
{
    return strcmp(program_invocation_short_name, "portshim") == 0 && own_program_has_note();
}

#endif
