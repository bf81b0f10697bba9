/*
 * Whether the program's memory can be read or written. A bad pointer must make the kernel's call fail with
 * EFAULT, and never cause a fault in our code.
 *
 * The caller's own stack and the writable data of the main program are known to be good. About any other page
 * the kernel is asked, and a good page is remembered. If the program unmaps such a page and then passes a
 * pointer to it, the process dies by SIGSEGV. A bad page is not remembered. Once the program has installed a
 * seccomp filter (process/filter.h), the kernel is not asked, and every page but the first counts as good.
 */
#ifndef SHIM_PROCESS_MEMORY_H
#define SHIM_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Notes where the main thread's stack ends and where the main program's data is. Called at attach, by all
 * threads that wait for it. */
void memory_init(void);

/*
 * Whether all len bytes (at least 1) at an address can be read. Asking the kernel changes nothing in them.
 * Leaves errno alone. Async-signal-safe; callable between vfork(2) and exec.
 */
bool memory_is_readable(const void *address, size_t len);

/* The same for writing. */
bool memory_is_writable(void *address, size_t len);

/* How many objects of `size` bytes can be read (written), from the first of an array of `count` on. */
unsigned memory_readable_count(const void *array, size_t size, unsigned count);
unsigned memory_writable_count(void *array, size_t size, unsigned count);

#endif
