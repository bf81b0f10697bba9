/*
 * What an ELF file says of itself. Read by the calls of kernel.h, nothing is allocated; callable between
 * vfork(2) and exec.
 */
#ifndef PORTMAP_PROGRAM_ELF_H
#define PORTMAP_PROGRAM_ELF_H

#include <stdbool.h>
#include <stddef.h>

enum program_kind {
    PROGRAM_DYNAMIC,     /* an ELF program with an interpreter, or that is one: ld.so preloads */
    PROGRAM_STATIC,      /* an ELF program without one: nothing is preloaded */
    PROGRAM_GO,          /* enters the kernel by itself, whether libc is linked in or not */
    PROGRAM_WRONG_CLASS, /* ELF of another class or machine than portshim's library */
    PROGRAM_UNKNOWN,     /* not ELF and no script, or unreadable: the kernel will know */
    PROGRAM_PORTSHIM,    /* the command portshim, by the note in it: static, and a run inside of a run */
};

/*
 * What tells the command portshim from another program of its name: an ELF note with this name and no
 * content, which portshim.c has. A copy has it as well, in whatever place, version and class.
 */
#define ELF_NOTE_NAME "portshim"

/*
 * Judges an open file. A script is PROGRAM_UNKNOWN, with the path of its interpreter in interpreter[size],
 * which is empty otherwise.
 */
enum program_kind elf_judge(int fd, char *interpreter, size_t size);

/* The dynamic linker that a program of our own class names, in path[size]; empty when it names none. */
void elf_interpreter(int fd, char *path, size_t size);

/*
 * Whether a program of our own class names, among the libraries it needs, one whose name begins so; the whole
 * name is in needed[size] then.
 */
bool elf_needs(int fd, const char *prefix, char *needed, size_t size);

/* Whether an open file is a shared library of our own class and machine. */
bool elf_is_our_library(int fd);

#endif
