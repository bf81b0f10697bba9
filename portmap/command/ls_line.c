#include "command/ls_line.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_SIZE = 512, MOST_COLUMNS = 4096 };

unsigned ls_line_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    unsigned long width = columns != NULL ? strtoul(columns, NULL, 10) : 0;
    return width < MOST_COLUMNS ? (unsigned)width : 0;
}

void ls_line_print(char *line, unsigned width)
{
    utf8_fit(line, width);
    puts(line);
}

void ls_line_not_wrapped(const char *program, const struct unwrapped *unwrapped, unsigned width)
{
    char line[LINE_SIZE];
    snprintf(line, sizeof line, "  not wrapped: %s%s: %s: %s", program, unwrapped->in_part ? ", in part" : "",
             unwrapped->reason, unwrapped->remedy);
    ls_line_print(line, width);
}

void ls_line_not_listed(unsigned port, bool bound, const char *program, unsigned width)
{
    char line[LINE_SIZE];
    snprintf(line, sizeof line, "  not listed: %u: %s by %s: add -p %u", port,
             bound ? "bound" : "in use, wanted", program, port);
    ls_line_print(line, width);
}
