/*
 * Whether the caller's memory can be read or written. A bad pointer must get the kernel's EFAULT from the
 * kernel's own call, never a fault in ours.
 *
 * Known without asking are the caller's own stack and the writable part of the main program. Of any other
 * page the kernel is asked once, and a good one stays known: a page that the program unmaps after that, and
 * then hands to a call, ends it by SIGSEGV instead. Nothing is known of a page that was bad. Once this
 * process has a seccomp filter of its own (filter.h) nothing is asked, and every page passes for good.
 */
#ifndef SHIM_PROCESS_MEMORY_H
#define SHIM_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Notes where the main thread's stack ends and where the program's data lies. Called at attach, by
 * every thread that comes while it goes on. */
void memory_init(void);

/*
 * True when all len (at least 1) bytes at address can be read. Where the kernel is asked, of the pages that
 * they are in, nothing changes. errno is left alone. Async-signal-safe, also between vfork(2) and exec.
 */
bool memory_is_readable(const void *address, size_t len);

/* The same for writing. */
bool memory_is_writable(void *address, size_t len);

/* How many objects of a size, of so many at the start of an array, can be read; written. */
unsigned memory_readable_count(const void *array, size_t size, unsigned count);
unsigned memory_writable_count(void *array, size_t size, unsigned count);

#endif
