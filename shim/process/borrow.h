/*
 * Memory for the time of a call, where the stack may be too small: a thread's may have 16 KiB, an environment
 * more than a thousand variables.
 *
 * Callable between vfork(2) and exec, from any thread and signal handler. What is borrowed is mapped, and
 * never unmapped: it is kept for the next call. A child of vfork(2) that has become another program cannot
 * give back what it took from its parent's memory; the thread that had to wait for the child takes it again.
 */
#ifndef SHIM_PROCESS_BORROW_H
#define SHIM_PROCESS_BORROW_H

#include <stddef.h>

/* At least `size` bytes, aligned for any object, of any content; NULL when there is no memory. errno is left
 * alone. */
void *borrow(size_t size);

/* Gives back what borrow() returned; nothing for NULL. */
void borrow_return(void *memory);

#endif
