/* What is wrong, in one line: base/problem.h. */
#include "unit.h"

#include "base/problem.h"
#include "base/utf8.h"

#include <fcntl.h>

static const char why[] = "it is broken", remedy[] = "mend it";

/* What problem_write() writes by one write(2), which a packet keeps together. */
static void written(char *line, size_t size, char *buffer, size_t buffer_size, const char *what)
{
    int ends[2];
    check(pipe2(ends, O_DIRECT | O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) >= 0, "pipe");
    problem_write(buffer, buffer_size, "warning: ", what, why, remedy);
    ssize_t len = read(ends[0], line, size - 1);
    check(len > 0 && read(ends[0], buffer, 1) < 0, "not one write(2)");
    line[len] = '\0';
    close(ends[0]);
    close(ends[1]);
}

TEST("whatever the subject is, a problem is one line with its remedy, within the buffer")
{
    for (unsigned round = 0; round < 3000; round++) {
        char what[600], line[1024], buffer[600], expected[1024];
        size_t size = 100 + below(400), len = below(sizeof what);
        for (size_t i = 0; i < len; i++)
            what[i] = (char)(below(8) == 0 ? 1 + below(255) : 'a' + below(26));
        what[len] = '\0';
        memset(buffer, '#', sizeof buffer);
        written(line, sizeof line, buffer, size, what);
        equal(buffer[size], '#');
        snprintf(expected, sizeof expected, ": %s: %s\n", why, remedy);
        check(strncmp(line, "portshim: warning: ", 19) == 0, "%s", line);
        check(strlen(line) >= strlen(expected), "%s", line);
        equal_text(line + strlen(line) - strlen(expected), expected);
        equal(strchr(line, '\n') - line, strlen(line) - 1);
        utf8_fit(what, 0);
        bool whole = strlen("portshim: warning: ") + len + strlen(expected) <= size;
        check(!whole || strncmp(line + 19, what, strlen(what)) == 0, "%s, %s", line, what);
        check(whole || strstr(line, "...: it is broken") != NULL, "%s", line);
    }
}

TEST("a subject is whole up to the longest path, and a word up to 63 bytes")
{
    static struct problem problem;
    static char path[2 * PATH_MAX], word[200];
    for (unsigned round = 0; round < 500; round++) {
        size_t len = PATH_MAX - 10 + below(20), word_len = 50 + below(100);
        memset(path, 'p', len);
        path[len] = '\0';
        memset(word, 'w', word_len);
        struct text what = problem_of(&problem, path, why, remedy);
        problem_add_word(&what, word, word_len);
        equal_text(problem.why, why);
        equal_text(problem.remedy, remedy);
        size_t kept = strspn(problem.what, "p"), dots = strspn(problem.what + kept, ".");
        equal(kept, len < PATH_MAX ? len : PATH_MAX - 4);
        equal(dots, len < PATH_MAX ? 0 : 3);
        const char *shown = problem.what + kept + dots;
        equal(strspn(shown, "w"), word_len < 64 ? word_len : 60);
        equal_text(shown + strspn(shown, "w"), word_len < 64 ? "" : "...");
    }
}
