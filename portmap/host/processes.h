/*
 * Looking through all processes of /proc, and into their files of any length.
 */
#ifndef PORTMAP_HOST_PROCESSES_H
#define PORTMAP_HOST_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Calls visit for the pid of each process that /proc shows, about in ascending order, until it returns false.
 * The list is read in small parts, so that a process that has just been made is visited a moment later. False
 * when /proc cannot be read.
 */
bool processes_each(bool (*visit)(pid_t pid, void *context), void *context);

/* Bytes to find, which may have '\0' in them. */
struct processes_text {
    const char *bytes;
    size_t len;
};

/* The most that a text to find may have. */
enum { PROCESSES_TEXT = 8192 };

/*
 * Which of the texts a file of a process has, such as "environ" or "maps": the index of the first one of them
 * that is in it, -ENODATA when none is, or another negated errno. Before the file's first byte there is a
 * '\0'. Of a process whose first thread has ended, asks another thread.
 */
int processes_find(pid_t pid, const char *file, const struct processes_text *texts, unsigned count);

#endif
