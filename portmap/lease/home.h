/*
 * The home of portshim: one directory for each user, which holds the lease table, the runs and their names.
 * Others can pass through it and through runs/, as processes of a run may change their user, but list and
 * change nothing: modes 0711. So what they can open is only what they are told the name of, and may read.
 *
 * Its path depends on the effective uid alone (/tmp/portshim-UID), unless PORTSHIM_HOME says another.
 * XDG_RUNTIME_DIR and TMPDIR would not do: they come and go with su, cron and CI, and two homes would have
 * two lease tables that lease a port twice. The uid is the kernel's, whatever fakeroot(1) says. In a user
 * namespace it is the user's uid outside, so that `unshare -r` does not lead to root's home.
 */
#ifndef PORTMAP_LEASE_HOME_H
#define PORTMAP_LEASE_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { RUN_ID_BITS = 56 }; /* of a run's id, by which its directory and the lease table name it */

struct home {
    int fd;              /* of the directory, close-on-exec */
    char path[PATH_MAX]; /* absolute, no trailing slash */
    bool given;          /* by PORTSHIM_HOME: if it is there, its mode is left as it is */
};

/*
 * Opens the home that the environment says, and makes what is missing: the directory itself, runs/ and names/
 * in it. 0; PORTMAP_EFOREIGN when one of them is not a directory (no symlink) of this user that others can
 * neither list nor change; PORTMAP_EPATH when its path has a character that a map file cannot carry;
 * PORTMAP_ENOUID as home_number(); or a negated errno. home->path is set in every case, for messages.
 */
int home_open(struct home *home, char *const *env);

/* The same for a home that is there already; makes nothing. -ENOENT when it is not, PORTMAP_EFOREIGN also
 * when a part of it is missing. */
int home_open_existing(struct home *home, char *const *env);

/* The remedy to print when something in the home could not be made. */
const char *home_remedy(int error);

/* Opens the home whose path is set already, and makes it anew if it has been removed. Does not close the old
 * descriptor. */
int home_reopen(struct home *home);

/*
 * The number in the path of a user's home: what that uid is called outside of this user namespace. 0, also
 * when /proc does not tell. PORTMAP_ENOUID when the uid is nobody's outside, or root's there although it is
 * not the host's root: as after `unshare -r` within `unshare -r`.
 */
int home_number(uid_t uid, uid_t *number);

/* Whether the path still leads to the directory that is open. */
bool home_is_in_place(const struct home *home);

/*
 * Waits for the lock of an identity (a map file's absolute path, or another word). Processes that were
 * started by hand with that identity find or make their run under it. Each identity is one byte of a file, so
 * others do not wait. It is a lock of fcntl(2), which a forked child does not share. Returns a descriptor,
 * which the caller closes; PORTMAP_ELOCKED after LOCK_PATIENT; or a negated errno.
 */
int home_lock_by_hand(const struct home *home, const char *identity);

void home_close(struct home *home);

#endif
