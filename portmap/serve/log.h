/*
 * What `portshim serve` says: on stderr in the foreground, to /dev/log as a daemon.
 */
#ifndef PORTMAP_SERVE_LOG_H
#define PORTMAP_SERVE_LOG_H

#include <stdbool.h>

enum serve_log_level {
    SERVE_LOG_NOTICE,  /* always logged */
    SERVE_LOG_VERBOSE, /* every lease and every refusal */
    SERVE_LOG_DEBUG,   /* every connection */
};

/* Sets the most detailed level to log, and whether to log to stderr or to syslog. */
void serve_log_open(enum serve_log_level most, bool to_stderr);

/* Logs one line. Drops it where it could not be written at once: the server never waits for its log. */
void serve_log(enum serve_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
