/*
 * Waiting for locks, but not without end: their holder may be stopped, by SIGSTOP or a debugger. A signal
 * does not end the wait. Locks of flock(2) belong to the open file, so all copies of the descriptor share
 * them.
 */
#ifndef PORTMAP_BASE_LOCK_H
#define PORTMAP_BASE_LOCK_H

#include <sys/types.h>

/* How long to wait, in milliseconds: where nothing can be done without the lock, and where it can be done
 * later. */
enum { LOCK_PATIENT = 10000, LOCK_BRIEF = 50 };

/* Waits for LOCK_SH or LOCK_EX on an open file. 0; PORTMAP_ELOCKED when the time is over; or a negated errno.
 */
int lock_wait(int fd, int operation, unsigned milliseconds);

/* The same for a write lock on one byte, of fcntl(2): a forked child does not share it. Closing any
 * descriptor of the file releases it. */
int lock_byte(int fd, off_t byte, unsigned milliseconds);

/* Opens the directory `name` below dir (no symlink) and waits for its exclusive lock. Returns a descriptor
 * (close-on-exec), or an error as above. */
int lock_directory(int dir, const char *name, unsigned milliseconds);

/* Releases the lock and closes the descriptor. Closing alone would leave the lock to a forked child. */
void lock_release(int fd);

/* As portmap_strerror(), but tells of PORTMAP_ELOCKED which process has the lock that was waited for last, as
 * far as that is known. The text is valid until the next call, which no other thread may make. */
const char *lock_strerror(int error);

#endif
