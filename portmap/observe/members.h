/*
 * Who belongs to runs: all processes that a run has, to end them.
 *
 * A process belongs to a run when it has the run's head mapped, other than a command of portshim that looks
 * at the run from outside, such as `portshim wait`; when its environment, as it was when it executed its
 * program, names the run, or one that was started inside of it; and when its parent belongs to it. Whoever
 * was seen to belong to it does so until the end: a process whose parent has ended has another.
 *
 * This process and its ancestors are spared: they may belong to a run, too, and nobody means them.
 */
#ifndef PORTMAP_OBSERVE_MEMBERS_H
#define PORTMAP_OBSERVE_MEMBERS_H

#include "host/process.h"
#include "run/files.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct member {
    pid_t pid;
    uint64_t ticks; /* its start time, so that a later process with its pid is not taken for it */
    unsigned run;   /* the index of one of the runs to which it belongs */
    char state;     /* proc(5), stat */
    bool spared;
    /* A process of portshim that ends as soon as those for which it is there have ended: the parent of a
     * command, a supervisor of trapped programs, or the proxy of one. */
    bool stands_by;
    bool is_supervisor;
    bool seen;     /* in this look */
    bool was_told; /* for the caller to note: a signal was sent */
    int error;     /* the same: a negated errno, as none can be sent */
};

struct members_run {
    char *assignment, *secret; /* what names the run: the assignment to PORTSHIM_RUN, after a '\0' */
    const struct map_head *head;
};

/* Begin with all bytes zero. */
struct members {
    struct member *list; /* those that were there at the last look, in no order */
    unsigned count, room;
    struct members_run *runs;
    unsigned run_count;
    pid_t *ancestors; /* this process and those above it, from the inside out */
    unsigned ancestor_count;
};

/* Finds out who is spared. 0; -ENOMEM; or -ENOENT when /proc does not show the processes of this pid
 * namespace. */
int members_begin(struct members *members);

/* Adds a run to those whose members are looked for; their indices count from 0. Keeps the pointer to its
 * head. 0 or -ENOMEM. */
int members_add_run(struct members *members, const char *path, const char *secret,
                    const struct map_head *head);

/*
 * Called for a member that is alive, with a pidfd (pidfd_open(2)) that is this very process's: it was opened
 * before the process was looked at. The descriptor is the callee's if it returns true.
 */
typedef bool members_visit(struct member *member, int pidfd, void *context);

/*
 * Looks for members of the runs among all processes, and forgets those that have ended. Visits each as soon
 * as it is found, spared ones included. 0; -ENOMEM; -EMFILE or -ENFILE when no descriptor was left.
 */
int members_look(struct members *members, members_visit *visit, void *context);

/*
 * Adds a process to the members that has a socket on a port which this run has leased, if the library is in
 * it, or if it is trapped and the run has a supervisor, and it is in no other run: such a one got the port
 * from the run, but may have cleared its environment and lost its parent. False when it is none, so that it
 * may be a stranger.
 */
bool members_add_holder(struct members *members, pid_t pid, unsigned run);

/* Whether a process keeps the run alive, by its lock. */
bool members_keeps(const struct members *members, pid_t pid, unsigned run);

/* Whether a process that is spared is among these pids. */
bool members_is_spared(const struct members *members, pid_t pid);

void members_end(struct members *members);

#endif
