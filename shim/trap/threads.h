/*
 * Threads of trapped programs: their descriptors, their thread groups, and the program each runs.
 *
 * A notification names a thread. What is found out about it is kept for its next call. The number of a thread
 * that has ended is given to another one; so what is kept is believed only as long as the kernel says that it
 * is the same thread: by a pidfd of the thread (PIDFD_THREAD, Linux 6.9), or else by a pidfd of its group and
 * tgkill(2), which tells whether the number still is one of this group.
 */
#ifndef SHIM_TRAP_THREADS_H
#define SHIM_TRAP_THREADS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct image;

/*
 * Who runs which program. The kernel gives each executed program 16 random bytes (getauxval(3), AT_RANDOM),
 * which a forked child has, too. With where they lie, they tell whether a thread still runs the program that
 * it ran when it was looked at.
 */
struct thread {
    pid_t number, group; /* gettid(2), getpid(2); group 0: not known, as /proc does not show it */
    int pidfd;
    bool is_of_thread;   /* the pidfd is; else it is the group's */
    uint64_t random_at;  /* address of the 16 bytes; 0: unknown */
    struct image *image; /* NULL: not looked at yet */
};

/* The thread of this number, in static memory, valid until the next question. NULL when it has ended or the
 * kernel does not tell. */
struct thread *threads_find(pid_t number);

/* A duplicate of its descriptor, close-on-exec; or a negated errno, -EPERM when the kernel does not let us
 * (pidfd_getfd(2)), or when without a pidfd of the thread only those of its group's first thread could be
 * had, and these are others. */
int threads_descriptor(pid_t number, int fd);

#endif
