/*
 * What `portshim serve` says: on stderr in the foreground, to /dev/log as a daemon.
 */
#ifndef PORTMAP_SERVE_LOG_H
#define PORTMAP_SERVE_LOG_H

#include <stdbool.h>

enum serve_log_level {
    SERVE_LOG_NOTICE,  /* what an administrator wants to know in any case */
    SERVE_LOG_VERBOSE, /* every lease and every refusal */
    SERVE_LOG_DEBUG,   /* every connection */
};

/* From here on, up to that level, to stderr or to syslog. */
void serve_log_open(enum serve_log_level most, bool to_stderr);

/* One line. One that there is no room for is lost: a server does not wait for whoever reads its log. */
void serve_log(enum serve_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
