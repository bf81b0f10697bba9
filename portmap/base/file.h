/*
 * Making files: they belong to their owner whatever the umask is, and what the limit on file sizes forbids is
 * an error, not the end of the process.
 */
#ifndef PORTMAP_BASE_FILE_H
#define PORTMAP_BASE_FILE_H

#include <stddef.h>

/* Makes the file `name` below dir, which must not be there yet, with mode 0600: a descriptor, close-on-exec,
 * or a negated errno. */
int file_create(int dir, const char *name);

/* Opens it, and makes it where it is missing: in a directory that is one user's alone. */
int file_share(int dir, const char *name);

/* Gives a new file `size` bytes on the disk. 0 or a negated errno: -EFBIG where RLIMIT_FSIZE forbids it, upon
 * which the kernel would send SIGXFSZ. */
int file_allocate(int fd, size_t size);

/* Appends all of it, over short writes and EINTR, to a new file, or writes it to a pipe or device. 0 or a
 * negated errno, likewise. */
int file_write(int fd, const char *bytes, size_t len);

/* Lets the owner read and write it, where the umask has taken that away. */
void file_let_owner(int fd);

#endif
