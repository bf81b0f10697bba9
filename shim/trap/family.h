/*
 * In the proxy's shape, S is the parent of C and, as a subreaper (prctl(2)), becomes that of all processes
 * below C whose parent ends. A thread of S waits for them, and tells P what becomes of C.
 */
#ifndef SHIM_TRAP_FAMILY_H
#define SHIM_TRAP_FAMILY_H

#include <sys/types.h>

/* Makes the thread, which does nothing yet. P is this process's parent, and `line` leads to it. 0 or a
 * negated errno. */
int family_prepare(pid_t program, int line);

/* From now on P is told, and C is killed when P has ended. */
void family_begin(int listener);

/*
 * When the listener has hung up: tells P to wait for C itself if nobody has done so. To be followed by the
 * end of this process, by which P becomes the parent of C: so the time and memory that C has used count as
 * those of P's child (getrusage(2)), and then of P.
 */
void family_end(void);

#endif
