/*
 * What a client of `portshim serve` asks for, and whether it may have it.
 */
#ifndef PORTMAP_SERVE_REQUEST_H
#define PORTMAP_SERVE_REQUEST_H

#include "serve/leases.h"

#include <sys/socket.h>

/* The longest request without its newline; portpicker's server takes as much. */
enum { SERVE_REQUEST_MAX = 20, SERVE_ANSWER_SIZE = 2048 };

/* Why requests were refused, and how often. */
struct serve_refusals {
    unsigned long unparsable, too_long, too_slow;
    unsigned long init, dead, foreign_namespace, not_permitted, over_cap, exhausted, failed;
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
 * Answers one request, a text without its newline, of the process at the other end (SO_PEERCRED). Writes the
 * answer into answer[SERVE_ANSWER_SIZE] and returns its length, 0 for a refusal: the connection is closed
 * then without a word, as portpicker's server does. *port is what was leased, 0 when nothing was.
 *
 *     PID              leases a port for that process: PORT
 *     release PORT     gives it back: ok
 *     status           statistics, a line each
 *
 * A process of the server's pid namespace may lease for itself; for another that it calls by its number
 * there, when that is its user's or it is root. Never for pid 1: a client that has lost its parent names it
 * by mistake.
 */
unsigned serve_request(struct serve_state *state, const char *request, const struct ucred *peer, char *answer,
                       unsigned *port);

/* The statistics as `status` has them; their length. Names of portpicker's server are its own. */
unsigned serve_statistics(const struct serve_state *state, char *text, unsigned size);

#endif
