/*
 * Waiting for a lock of flock(2), which signals may interrupt and which goes with the descriptor.
 */
#ifndef PORTMAP_BASE_LOCK_H
#define PORTMAP_BASE_LOCK_H

/* Waits for LOCK_SH or LOCK_EX on an open file. 0 or a negated errno. */
int lock_wait(int fd, int operation);

/* Opens the directory `name` below dir (no symlink) and waits for its exclusive lock: a descriptor, or a
 * negated errno. */
int lock_directory(int dir, const char *name);

/* Gives a lock of flock(2) back, also where a child that was forked meanwhile has the descriptor as well, and
 * closes. */
void lock_release(int fd);

#endif
