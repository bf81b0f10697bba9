/*
 * The port server: one thread, one epoll, every descriptor non-blocking.
 *
 * A client has five seconds to send its one request. Connections are limited, in all and for each user: at
 * the limit the oldest is closed, so that clients that connect and send nothing keep no others out. All
 * memory is in tables of a fixed size.
 */
#ifndef PORTMAP_SERVE_SERVER_H
#define PORTMAP_SERVE_SERVER_H

#include "lease/home.h"
#include "lease/pool.h"
#include "serve/listen.h"

struct serve_settings {
    const struct home *home;
    const struct pool *pool;
    const char *address; /* for messages */
    unsigned cap;        /* leases of one user; 0 for the default in portshim-serve(1) */
    int ready;           /* gets one byte once requests are answered, and is closed; -1 for none */
};

/*
 * Serves until SIGTERM, SIGINT or SIGHUP; SIGUSR1 logs the statistics. Returns 0 or a code of error.h. The
 * leases stay in the lease table.
 */
int serve(const struct serve_settings *settings, const struct serve_listener *listener);

#endif
