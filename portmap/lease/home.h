/*
 * The home of portshim: one private directory for each uid, which holds the lease table, the runs and their
 * names.
 *
 * Its path depends on the effective uid alone (/tmp/portshim-UID): XDG_RUNTIME_DIR and TMPDIR come and go
 * with su, cron and CI, and two homes would mean two lease tables and so double leases. Only PORTSHIM_HOME
 * moves it. The uid is the kernel's, whatever fakeroot(1) says; in a user namespace, it is what the user is
 * called outside, as `unshare -r` must not make the home of root.
 */
#ifndef PORTMAP_LEASE_HOME_H
#define PORTMAP_LEASE_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { RUN_ID_BITS = 56 }; /* of the number that a run goes by, in its directory and in the lease table */

struct home {
    int fd;              /* of the directory, close-on-exec */
    char path[PATH_MAX]; /* absolute, no trailing slash */
};

/*
 * Opens the home, made first if it is missing, with its directories runs/ and names/. Refuses one that is not
 * a directory of this user with mode 0700 (symlinks are not followed): PORTMAP_EFOREIGN, and a path that a
 * shell would not leave as it is: PORTMAP_EPATH. PORTMAP_ENOUID as home_number() says it. Otherwise 0 or a
 * negated errno. home->path is set in every case, for messages.
 */
int home_open(struct home *home, char *const *env);

/* What to do when something in the home could not be made. */
const char *home_remedy(int error);

/*
 * The same for a home whose path is set already, whatever its descriptor is: once it has been removed,
 * another one is made in its place. Does not close the old descriptor.
 */
int home_reopen(struct home *home);

/*
 * The number in the path of a user's home: what that uid is called outside of this user namespace. 0, also
 * where that cannot be read; PORTMAP_ENOUID when it is nobody there, or said to be root and is not: for a
 * namespace inside of another, outside is that other one.
 */
int home_number(uid_t uid, uid_t *number);

/* Whether the path still leads to the directory that is open. */
bool home_is_in_place(const struct home *home);

/*
 * Waits for the lock under which those who begin by hand with one identity (a map file's absolute path, or
 * another word) find or make their run. Others are not kept waiting: it is one byte of a file. It is the
 * process's (fcntl(2)), so that a child that is forked meanwhile does not have it. A descriptor, to be
 * closed, or a negated errno.
 */
int home_lock_by_hand(const struct home *home, const char *identity);

void home_close(struct home *home);

#endif
