/*
 * Memory for the time of a call, where the stack may be too small: a thread's stack may have 16 KiB, and an
 * environment more than a thousand variables.
 *
 * Callable between vfork(2) and exec, in any thread and signal handler. Memory is mapped and never unmapped,
 * but kept for the next call. A child of vfork(2) that has become another program cannot return what it took
 * from its parent's memory; the parent's thread, which waited for the child, takes it again.
 */
#ifndef SHIM_PROCESS_BORROW_H
#define SHIM_PROCESS_BORROW_H

#include <stddef.h>

/* At least `size` bytes of any content, aligned for any object; NULL when there is no memory. Leaves errno
 * alone. */
void *borrow(size_t size);

/* Returns borrowed memory; does nothing for NULL. */
void borrow_return(void *memory);

#endif
