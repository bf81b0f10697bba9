/*
 * The port server: one thread, one epoll, every descriptor non-blocking.
 *
 * A client has so many seconds for its one request. Those of one user are limited, and the oldest goes first:
 * whoever connects and says nothing takes nothing from others. All memory is bounded by fixed tables.
 */
#ifndef PORTMAP_SERVE_SERVER_H
#define PORTMAP_SERVE_SERVER_H

#include "lease/home.h"
#include "lease/pool.h"
#include "serve/listen.h"

struct serve_settings {
    const struct home *home;
    const struct pool *pool;
    const char *address; /* for people */
    unsigned cap;        /* leases of one user; 0: as portshim-serve(1) says */
    int ready;           /* written to and closed once requests are answered; -1 for none */
};

/*
 * Serves until SIGTERM, SIGINT or SIGHUP; SIGUSR1 logs statistics. 0 or a code of error.h; the leases stay in
 * the lease table either way.
 */
int serve(const struct serve_settings *settings, const struct serve_listener *listener);

#endif
