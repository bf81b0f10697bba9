/*
 * Whether the caller's memory can be read or written. A bad pointer must get the kernel's EFAULT from the
 * kernel's own call, never a fault in ours.
 */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Notes where the main thread's stack ends. Called once, at attach. */
void memory_init(void);

/*
 * True when all len (at least 1) bytes at address can be read. What lies on the caller's own stack is known
 * to; for the rest the kernel is asked, without any effect: rt_sigprocmask(2) reads its set before it refuses
 * an invalid `how`, so EFAULT and EINVAL tell. errno is left alone. Async-signal-safe.
 */
bool memory_is_readable(const void *address, size_t len);

/*
 * The same for writing, which needs another harmless call: futex(2) can add 0 to a word, atomically, and says
 * EFAULT when it may not write it.
 */
bool memory_is_writable(void *address, size_t len);

#endif
