/*
 * Errors of the library: every function that can fail returns 0 (or a count) or one negative code.
 *
 * A code from -1 to -4095 is a negated errno, as system calls return it; those below have the names here. The
 * library prints nothing: only the command does.
 */
#ifndef PORTMAP_ERROR_H
#define PORTMAP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

enum portmap_error {
    PORTMAP_EXHAUSTED = -4200, /* every port of the pool is leased or in use */
    PORTMAP_EHELD,             /* this very port is leased by somebody else */
    PORTMAP_EINUSE,            /* this very port is not leased, but a socket holds it */
    PORTMAP_EFOREIGN,          /* a file or directory is not this user's alone: wrong owner, mode or type */
    PORTMAP_EPATH,             /* a path has characters that a map file cannot carry */
    PORTMAP_ETORN,             /* a file of ours has the wrong size, magic or version */
    PORTMAP_EENDED,            /* the run is over; its ports may belong to others now */
    PORTMAP_ENORUN,            /* no such run */
    PORTMAP_ENAME,             /* the name is taken by a living run */
    PORTMAP_ETOOMANY,          /* a table of fixed size is full */
    PORTMAP_ENOTFILE,          /* there is something, but it is not a regular file */
    PORTMAP_ESYNTAX,           /* the text does not follow its grammar */
    PORTMAP_EREFUSED,          /* the port server gave no usable port */
    PORTMAP_ENAMESPACE,        /* the port server is outside of this pid namespace */
    PORTMAP_ENOTOURS,          /* this process has not leased the port, or has given it back */
    PORTMAP_EREUSE,            /* the socket has SO_REUSEADDR or SO_REUSEPORT, which hide conflicts */
    PORTMAP_EOTHERS,           /* the file has contents that portshim did not write */
    PORTMAP_ENOUID,            /* this user has no known number outside of the user namespace */
    PORTMAP_ELOCKED,           /* another process, maybe a stopped one, has kept a lock for ten seconds */
    PORTMAP_EUNDECIDED,        /* a process is deciding whether the run is over, and does not go on */
};

#pragma GCC visibility push(default)
/* The text for a code above or a negated errno: one line, no full stop, never NULL. Not for signal
 * handlers. */
const char *portmap_strerror(int code);
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
