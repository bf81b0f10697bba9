#include "serve/log.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static enum serve_log_level most_said;
static bool on_stderr = true;
static int output = STDERR_FILENO;
static int logger = -1; /* connected to the syslog daemon */

/* A write to a terminal or pipe could block although poll(2) reports room. Opening it again gives a
 * descriptor that can be non-blocking without changing the stderr that other processes share. */
static void open_output(void)
{
    struct stat st;
    bool may_wait = fstat(STDERR_FILENO, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode));
    int fd = may_wait ? open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    output = fd >= 0 ? fd : STDERR_FILENO;
}

/* Replaces openlog(3): syslog(3) would block while the syslog daemon does not read. */
static void open_logger(void)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    if (logger >= 0)
        close(logger);
    logger = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (logger >= 0 && connect(logger, (const struct sockaddr *)&address, sizeof address) < 0) {
        close(logger);
        logger = -1;
    }
}

void serve_log_open(enum serve_log_level most, bool to_stderr)
{
    most_said = most;
    on_stderr = to_stderr;
    if (to_stderr)
        open_output();
    else
        open_logger();
}

static void log_to_stderr(const struct tm *local, long nanoseconds, const char *message)
{
    char line[512];
    struct pollfd room = {.fd = output, .events = POLLOUT};
    int len = snprintf(line, sizeof line, "%02d:%02d:%02d.%03ld portshim serve: %s\n", local->tm_hour,
                       local->tm_min, local->tm_sec, nanoseconds / 1000000, message);
    if (poll(&room, 1, 0) == 1 && write(output, line, (size_t)len) < 0)
        return; /* nothing is left to report the failure to */
}

static bool send_to_logger(const char *line, size_t len)
{
    return logger >= 0 && (send(logger, line, len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN);
}

static void log_to_syslog(const struct tm *local, int priority, const char *message)
{
    char line[512], when[32];
    strftime(when, sizeof when, "%b %e %H:%M:%S", local);
    int len = snprintf(line, sizeof line, "<%d>%s portshim-serve[%d]: %s", LOG_DAEMON | priority, when,
                       (int)getpid(), message);
    if (send_to_logger(line, (size_t)len))
        return;
    open_logger(); /* the syslog daemon may have been restarted */
    send_to_logger(line, (size_t)len);
}

void serve_log(enum serve_log_level level, const char *format, ...)
{
    static const int priorities[] = {LOG_NOTICE, LOG_INFO, LOG_DEBUG};
    char message[448];
    struct timespec now;
    struct tm local;
    va_list arguments;
    if (level > most_said)
        return;
    va_start(arguments, format);
    int len = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (len >= (int)sizeof message)
        memcpy(message + sizeof message - sizeof "...", "...", sizeof "...");
    utf8_fit(message, 0);
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    if (on_stderr)
        log_to_stderr(&local, now.tv_nsec, message);
    else
        log_to_syslog(&local, priorities[level], message);
}
