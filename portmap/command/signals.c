#include "command/signals.h"

#include "command/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Real-time signals have numbers up to this one (include/uapi/asm-generic/signal.h). */
enum { MOST = 64 };

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},     {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
    {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},     {SIGFPE, "FPE"},   {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},
    {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"},   {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
    {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},   {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"},
    {SIGTTOU, "TTOU"}, {SIGURG, "URG"},     {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"},
    {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"}, {SIGIO, "IO"},     {SIGPWR, "PWR"},   {SIGSYS, "SYS"},
};

int signals_number(const char *word)
{
    const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcasecmp(name, signals[i].name) == 0)
            return signals[i].number;
    return (int)command_number(word, MOST);
}

void signals_name(int number, char *name, size_t size)
{
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i].number == number) {
            snprintf(name, size, "%s", signals[i].name);
            return;
        }
    snprintf(name, size, "signal %d", number);
}
