/*
 * Waiting for locks of flock(2). A signal does not end the wait. The lock belongs to the open file, so all
 * copies of the descriptor share it.
 */
#ifndef PORTMAP_BASE_LOCK_H
#define PORTMAP_BASE_LOCK_H

/* Waits for LOCK_SH or LOCK_EX on an open file. 0 or a negated errno. */
int lock_wait(int fd, int operation);

/* Opens the directory `name` below dir (no symlink) and waits for its exclusive lock. Returns a descriptor
 * (close-on-exec) or a negated errno. */
int lock_directory(int dir, const char *name);

/* Releases the lock and closes the descriptor. Closing alone would leave the lock to a forked child. */
void lock_release(int fd);

#endif
