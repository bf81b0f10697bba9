/*
 * What /proc says about a thread that waits in a call: which signals it should take, and what it may do.
 */
#ifndef SHIM_TRAP_STATUS_H
#define SHIM_TRAP_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct status {
    pid_t group, tracer; /* tracer: 0 when there is none */
    unsigned threads;    /* of the group */
    bool is_stopped;     /* by a signal */
    /* Signals, signal n as bit n - 1. */
    uint64_t own_pending, group_pending, blocked;
    uint64_t capabilities; /* effective ones (capabilities(7)) */
};

/* From the text of /proc/PID/status. False when something is missing. */
bool status_parse(const char *text, struct status *status);

/* False when /proc does not show the thread. */
bool status_read(pid_t thread, struct status *status);

/* What should end a call that sleeps. */
enum interruption {
    INTERRUPTION_NONE,
    INTERRUPTION_CERTAIN,  /* the kernel has told this very thread to take a signal or to stop */
    INTERRUPTION_POSSIBLE, /* some thread of its group takes the signal */
};

/* was_traced: whether the thread had a tracer when the call began. */
enum interruption status_interruption(pid_t thread, const struct status *status, bool was_traced);

/* Whether the thread may do with this host's network what only the administrator may: CAP_NET_ADMIN and
 * CAP_NET_RAW in our user namespace. */
bool status_is_network_admin(pid_t thread);

#endif
