/*
 * Requests of clients of `portshim serve`: what they ask for, and whether they may have it.
 */
#ifndef PORTMAP_SERVE_REQUEST_H
#define PORTMAP_SERVE_REQUEST_H

#include "serve/leases.h"

#include <sys/socket.h>

/* The longest request without its newline, the same as portpicker's server. */
enum { SERVE_REQUEST_MAX = 20, SERVE_ANSWER_SIZE = 2048 };

/* How often requests were refused, by reason. */
struct serve_refusals {
    unsigned long unparsable, too_long, too_slow;
    unsigned long init, dead, foreign_namespace, not_permitted, over_cap, exhausted, taken, failed;
};

struct serve_state {
    struct serve_leases *leases;
    struct serve_refusals refused;
    const char *address;
    uint64_t started; /* process_clock() */
    unsigned connections;
    unsigned long connections_total;
};

/*
 * Answers one request, a text without its newline, of the process `peer` (SO_PEERCRED). Writes the answer
 * into answer[SERVE_ANSWER_SIZE] and returns its length. Returns 0 for a refusal: the caller closes the
 * connection without an answer, as portpicker's server does. *port is the leased port, 0 when there is none.
 *
 *     PID              leases a port for that process: PORT
 *     PID NUMBER       leases the port that the number stands for (lease/key.h): leased PORT, or taken PORT
 *     release PORT     gives a port back: ok
 *     status           writes the statistics, one a line
 *
 * A process of the server's pid namespace may lease for itself, for a process of the same user, and as root
 * for any process. Nobody may lease for pid 1, which a client names by mistake when its parent has ended.
 */
unsigned serve_request(struct serve_state *state, const char *request, const struct ucred *peer, char *answer,
                       unsigned *port);

/* Writes the statistics that `status` answers, and returns their length. Numbers that portpicker's server has
 * too bear its names. */
unsigned serve_statistics(const struct serve_state *state, char *text, unsigned size);

#endif
