/*
 * Making files. Their owner can read and write them whatever the umask is, and a write beyond RLIMIT_FSIZE is
 * an error, instead of the signal SIGXFSZ that ends the process.
 */
#ifndef PORTMAP_BASE_FILE_H
#define PORTMAP_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Makes the file `name` below directory dir, with mode 0600. Returns a descriptor (close-on-exec) or a
 * negated errno: -EEXIST when the file is already there. */
int file_create(int dir, const char *name);

/* The same, but opens a file that is already there. For directories that no other user can write to. */
int file_share(int dir, const char *name);

/* Reserves disk space for `size` bytes of a file, from its beginning or from `from` on; the file becomes that
 * long if it is shorter. 0 or a negated errno: -EFBIG beyond RLIMIT_FSIZE. */
int file_allocate(int fd, size_t size);
int file_allocate_from(int fd, size_t from, size_t size);

/* Appends all bytes to a new file, or writes them to a pipe or device, over short writes and EINTR. 0 or a
 * negated errno: -EFBIG beyond RLIMIT_FSIZE. */
int file_write(int fd, const char *bytes, size_t len);

/* Writes all bytes to a file, from offset `at` on. The same errors. */
int file_write_at(int fd, const void *bytes, size_t len, off_t at);

/* Whether a file was not written for a day. Whoever meets such a file of a living owner touches it
 * (futimens(2)): others clear directories like /tmp by age (systemd-tmpfiles(8)), and stores into mapped
 * files do not count. */
bool file_is_old(const struct stat *file);

/* Looks at an open file, as kernel_stat(). PORTMAP_EFOREIGN when it is not a regular file of this user. */
int file_look(int fd, struct stat *st);

/* The same, and -ENODATA when it is empty: nothing was written to it, as after a power cut. */
int file_look_written(int fd, struct stat *st);

/* Gives the owner permission to read and write an open file, which the umask may have denied. */
void file_let_owner(int fd);

#endif
