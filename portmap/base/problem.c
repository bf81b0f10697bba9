#include "base/problem.h"

#include "base/file.h"
#include "base/utf8.h"

#include <string.h>
#include <unistd.h>

struct text problem_of(struct problem *problem, const char *what, const char *why, const char *remedy)
{
    struct text t = text_in(problem->what, PATH_MAX);
    text_str(&t, what);
    text_mark_cut(&t);
    t.size = sizeof problem->what;
    problem->why = why;
    problem->remedy = remedy;
    return t;
}

void problem_add_word(struct text *what, const char *word, size_t len)
{
    char shown[64];
    struct text t = text_in(shown, sizeof shown);
    text_bytes(&t, word, len);
    text_mark_cut(&t);
    text_str(what, shown);
}

size_t problem_line(char *buffer, size_t size, const char *kind, const char *what, const char *why,
                    const char *remedy)
{
    struct text t = text_in(buffer, size - strlen(why) - strlen(remedy) - strlen(": : "));
    text_str(&t, "portshim: ");
    text_str(&t, kind);
    text_str(&t, what);
    text_mark_cut(&t);
    t.size = size;
    text_str(&t, ": ");
    text_str(&t, why);
    text_str(&t, ": ");
    text_str(&t, remedy);
    utf8_fit(buffer, 0); /* `what` may hold names with control characters, even line breaks */
    size_t end = strlen(buffer);
    buffer[end] = '\n';
    return end + 1;
}

void problem_write(char *buffer, size_t size, const char *kind, const char *what, const char *why,
                   const char *remedy)
{
    size_t length = problem_line(buffer, size, kind, what, why, remedy);
    file_write(STDERR_FILENO, buffer, length); /* if stderr is gone, nobody can be told */
}
