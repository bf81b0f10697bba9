#include "error.h"

#include <errno.h>
#include <string.h>

/* The words of glibc for an errno, where musl, with which the command is linked, has others: they are better
 * known. */
static const char *of_the_system(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "Address already in use";
    case EADDRNOTAVAIL:
        return "Cannot assign requested address";
    case EBUSY:
        return "Device or resource busy";
    case EDQUOT:
        return "Disk quota exceeded";
    case EIO:
        return "Input/output error";
    case ELOOP:
        return "Too many levels of symbolic links";
    case EMFILE:
        return "Too many open files";
    case ENAMETOOLONG:
        return "File name too long";
    case ENOMEM:
        return "Cannot allocate memory";
    case EOPNOTSUPP:
        return "Operation not supported";
    case ETIMEDOUT:
        return "Connection timed out";
    default:
        return strerror(error);
    }
}

const char *portmap_strerror(int code)
{
    switch (code) {
    case PORTMAP_EXHAUSTED:
        return "pool exhausted";
    case PORTMAP_EHELD:
        return "leased by another";
    case PORTMAP_EINUSE:
        return "in use by another socket";
    case PORTMAP_EFOREIGN:
        return "not a private directory or file of this user";
    case PORTMAP_EPATH:
        return "only letters, digits and /._+@%=:,~- can be in the path that map files carry";
    case PORTMAP_ETORN:
        return "damaged, or written by another version";
    case PORTMAP_EENDED:
        return "the run has ended";
    case PORTMAP_ENORUN:
        return "no such run";
    case PORTMAP_ENAME:
        return "the name belongs to a living run";
    case PORTMAP_ETOOMANY:
        return "too many at once";
    case PORTMAP_ENOTFILE:
        return "not a regular file";
    case PORTMAP_ESYNTAX:
        return "not understood";
    case PORTMAP_EREFUSED:
        return "it gave no port that can be used";
    case PORTMAP_ENAMESPACE:
        return "it is outside of this pid namespace and cannot tell whom it leases for";
    case PORTMAP_ENOTOURS:
        return "not leased by this process";
    case PORTMAP_EREUSE:
        return "the socket has SO_REUSEADDR or SO_REUSEPORT, which hide conflicts";
    case PORTMAP_EOTHERS:
        return "not written by portshim";
    case PORTMAP_EUNDECIDED:
        return "a stopped process is deciding whether the run has ended";
    case PORTMAP_ENOUID:
        return "this user namespace does not tell whose home it would be";
    case PORTMAP_ELOCKED:
        return "another process, maybe a stopped one, does not give its lock back";
    default:
        return of_the_system(-code);
    }
}
