#include "serve_log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static enum serve_log_level most_said;
static bool on_stderr = true;

void serve_log_open(enum serve_log_level most, bool to_stderr)
{
    most_said = most;
    on_stderr = to_stderr;
    if (!to_stderr)
        openlog("portshim-serve", LOG_PID, LOG_DAEMON);
}

static void log_to_stderr(const char *format, va_list arguments)
{
    char line[512], message[448];
    struct timespec now;
    struct tm local;
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    vsnprintf(message, sizeof message, format, arguments);
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    int len = snprintf(line, sizeof line, "%02d:%02d:%02d.%03ld portshim serve: %s\n", local.tm_hour,
                       local.tm_min, local.tm_sec, now.tv_nsec / 1000000, message);
    if (poll(&room, 1, 0) == 1 && write(STDERR_FILENO, line, (size_t)len) < 0)
        return; /* a log that cannot be written is nobody's concern but its reader's */
}

void serve_log(enum serve_log_level level, const char *format, ...)
{
    static const int priorities[] = {LOG_NOTICE, LOG_INFO, LOG_DEBUG};
    va_list arguments;
    if (level > most_said)
        return;
    va_start(arguments, format);
    if (on_stderr)
        log_to_stderr(format, arguments);
    else
        vsyslog(priorities[level], format, arguments);
    va_end(arguments);
}
