#include "process/die.h"

#include "base/problem.h"

#include <limits.h>
#include <unistd.h>

enum { FAILURE = 125 };

static void say(const char *kind, const char *what, const char *why, const char *remedy)
{
    char line[PATH_MAX + 576];
    problem_write(line, sizeof line, kind, what, why, remedy);
}

void warn(const char *what, const char *why, const char *remedy)
{
    say("warning: ", what, why, remedy);
}

void die(const char *what, const char *why, const char *remedy)
{
    say("", what, why, remedy);
    _exit(FAILURE);
}
