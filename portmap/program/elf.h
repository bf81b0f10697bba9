/*
 * What an ELF file says of itself. Only calls of base/kernel.h are made and nothing is allocated: callable
 * between vfork(2) and exec.
 */
#ifndef PORTMAP_PROGRAM_ELF_H
#define PORTMAP_PROGRAM_ELF_H

#include <stdbool.h>
#include <stddef.h>

enum program_kind {
    PROGRAM_DYNAMIC,     /* glibc's ld.so is its interpreter, or it is ld.so: the library is preloaded */
    PROGRAM_STATIC,      /* has no interpreter: nothing is preloaded */
    PROGRAM_GO,          /* makes system calls without libc, even if libc is linked in */
    PROGRAM_WRONG_CLASS, /* ELF, but of another class or machine than portshim's library */
    PROGRAM_OTHER_LIBC,  /* its interpreter is another one, as musl's, or it is that: it cannot load ours */
    PROGRAM_UNKNOWN,     /* not ELF, or unreadable: exec will tell */
    PROGRAM_PORTSHIM,    /* the command portshim, by its ELF note; it makes a run inside of the run */
};

/* An ELF note with this name and no content marks the command portshim (command/portshim.c has it). It tells
 * a copy, in whatever place, version and class, from another program that has the same file name. */
#define ELF_NOTE_NAME "portshim"

/* Judges an open file. For a script: PROGRAM_UNKNOWN, with the path of its interpreter in interpreter[size],
 * which is empty otherwise. */
enum program_kind elf_judge(int fd, char *interpreter, size_t size);

/* The dynamic linker that a program of our class and machine names, in path[size]; empty when there is
 * none. */
void elf_interpreter(int fd, char *path, size_t size);

/* Whether a program of our class and machine needs a library whose name begins with `prefix`. Its whole name
 * is then in needed[size]. */
bool elf_needs(int fd, const char *prefix, char *needed, size_t size);

/* Whether an open program is for this machine, in 32 or 64 bits: i386 and x86-64 are one. */
bool elf_is_for_this_machine(int fd);

/* Whether an open file is a shared library of our class and machine. */
bool elf_is_our_library(int fd);

#endif
