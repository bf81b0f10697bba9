/*
 * Why a program that the library does not reach is not under the trap either. Noted in the map
 * (run/sighting.h), so that portshim ls can say it.
 */
#ifndef PORTMAP_PROGRAM_UNTRAPPED_H
#define PORTMAP_PROGRAM_UNTRAPPED_H

#include "program/reach.h"

/* The numbers stand in map files: whoever changes them raises MAP_VERSION. */
enum untrapped {
    UNTRAPPED_UNSAID,      /* nobody tried: see reach_obstacle() */
    UNTRAPPED_OFF,         /* --trap=off */
    UNTRAPPED_KERNEL,      /* before Linux 5.19, or without seccomp filters */
    UNTRAPPED_FILTER,      /* seccomp(2) or a filter with a listener is refused */
    UNTRAPPED_OCCUPIED,    /* the listener of another supervisor than portshim's is in force */
    UNTRAPPED_MEMORY,      /* process_vm_readv(2) or process_vm_writev(2) is refused */
    UNTRAPPED_DESCRIPTORS, /* pidfd_open(2) or pidfd_getfd(2) is refused */
    UNTRAPPED_YAMA,        /* ptrace_scope is 2 or 3 */
    UNTRAPPED_COMMAND,     /* portshim could not be executed where the program starts */
    UNTRAPPED_PROCESSES,   /* no process could be made for the supervisor */
    UNTRAPPED_OTHER,       /* anything else */
    /* It is under the trap, but there are calls that the supervisor had to let pass. */
    UNTRAPPED_ELSEWHERE,  /* of a socket of another network namespace */
    UNTRAPPED_UNREADABLE, /* of a process whose memory may not be read (PR_SET_DUMPABLE) */
    UNTRAPPED_KINDS,      /* how many there are */
};

/* That reason, and what helps. NULL for UNTRAPPED_UNSAID, and for what is none of these. */
const struct obstacle *untrapped_obstacle(enum untrapped reason);

#endif
