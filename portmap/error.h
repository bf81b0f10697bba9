/*
 * Errors of the library: every function that can fail returns 0 (or a count) or one negative code.
 *
 * Between -1 and -4095 the code is a negated errno, as the kernel's own system calls return it; below that
 * it is one of the names here. Nothing in portmap/ prints: only the command does.
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
    PORTMAP_EFOREIGN,          /* a file or directory is not ours alone: wrong owner, mode or type */
    PORTMAP_EPATH,             /* a path has characters that a file of assignments cannot carry */
    PORTMAP_ETORN,             /* a file of ours has the wrong size, magic or version */
    PORTMAP_EENDED,            /* the run is over; its ports may belong to others now */
    PORTMAP_ENORUN,            /* no such run */
    PORTMAP_ENAME,             /* the name is taken by a living run */
    PORTMAP_ETOOMANY,          /* a fixed size table is full */
    PORTMAP_ENOTFILE,          /* something other than a regular file is in the place of one */
    PORTMAP_ESYNTAX,           /* the text is not in its grammar */
    PORTMAP_EREFUSED,          /* the port server gave no usable port */
    PORTMAP_ENAMESPACE,        /* the port server is in another pid namespace */
    PORTMAP_ENOTOURS,          /* the port has not been leased by this process, or has been given back */
    PORTMAP_EREUSE,            /* the socket has SO_REUSEADDR or SO_REUSEPORT, which hide conflicts */
    PORTMAP_EOTHERS,           /* a file has something in it that portshim did not write */
    PORTMAP_ENOUID,            /* the user namespace does not tell which user this is outside of it */
};

#pragma GCC visibility push(default)
/* One line, no full stop, for any code above or a negated errno. Never NULL. Not for signal handlers. */
const char *portmap_strerror(int code);
#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
