/* Which file a command means: program/search.h. What execvp(3) starts is what is to be found. */
#include "directory.h"

#include "base/text.h"
#include "program/search.h"

#include <errno.h>
#include <fcntl.h>

enum { DIRECTORIES = 4 };

static char place_buffer[PATH_MAX];

/* "command" in d0 to d3 and in the working directory: a script that says how it was called, one that may not
 * be executed, a directory, or nothing. */
static void make_command(const char *where)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/command", where);
    unlink(path);
    rmdir(path);
    unsigned kind = below(4);
    if (kind == 0) {
        check(mkdir(path, 0755) == 0, "%s", path);
    } else if (kind < 3) {
        FILE *out = fopen(path, "w");
        check(out != NULL, "%s", path);
        fprintf(out, "#!/bin/sh\necho \"$0\"\n");
        fclose(out);
        check(chmod(path, kind == 1 ? 0755 : 0644) == 0, "%s", path);
    }
}

static void random_list(char *list, size_t size)
{
    struct text t = text_in(list, size);
    for (unsigned i = 1 + below(6); i > 0; i--) {
        switch (below(4)) {
        case 0:
            break; /* the working directory */
        case 1:
            text_str(&t, "/nowhere");
            break;
        case 2:
            text_str(&t, directory);
            text_str(&t, "/sub/"); /* fall through */
        default:
            text_char(&t, 'd');
            text_uint(&t, below(DIRECTORIES));
        }
        text_str(&t, i > 1 ? ":" : "");
    }
}

/* How a command was called that execvp(3) has found, or a negated errno. */
static int execute(const char *list, char *called, size_t size)
{
    int ends[2], error = 0;
    check(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        setenv("PATH", list, 1);
        dup2(ends[1], STDOUT_FILENO);
        execlp("command", "command", NULL);
        error = -errno;
        _exit(write(ends[1], &error, sizeof error) == sizeof error ? 99 : 1);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], called, size - 1);
    called[len > 0 ? len : 0] = '\0';
    called[strcspn(called, "\n")] = '\0';
    int status;
    check(waitpid(pid, &status, 0) == pid, "command");
    if (WEXITSTATUS(status) == 99)
        memcpy(&error, called, sizeof error);
    close(ends[0]);
    return error;
}

TEST("what is found in a random PATH is what execvp(3) starts, seen from here or from another place")
{
    unsigned found = 0;
    enter_new_directory();
    int top = open(".", O_DIRECTORY);
    check(mkdir("sub", 0755) == 0 && chdir("sub") == 0, "sub");
    for (unsigned i = 0; i < DIRECTORIES; i++)
        check(mkdir((char[]){'d', (char)('0' + i), '\0'}, 0755) == 0, "%u", i);
    for (unsigned round = 0; round < 200; round++) {
        char list[512], called[PATH_MAX] = "", path[PATH_MAX];
        check(fchdir(top) == 0 && chdir("sub") == 0, "sub");
        make_command(".");
        for (unsigned i = 0; i < DIRECTORIES; i++)
            make_command((char[]){'d', (char)('0' + i), '\0'});
        random_list(list, sizeof list);
        int expected = execute(list, called, sizeof called);
        struct place here = {.dirfd = AT_FDCWD}, there = {.dirfd = top, .path = place_buffer, .length = 4};
        strcpy(place_buffer, "sub/");
        bool is_here = below(2) == 0;
        check(is_here || chdir("/") == 0, "/");
        int result = search_list(is_here ? &here : &there, list, "command", path, sizeof path);
        check(result == expected, "%d, not %d, with PATH=%s", result, expected, list);
        if (result == 0)
            equal_text(path, called);
        found += result == 0;
    }
    check(found > 20, "%u", found);
}

TEST("where the place is hidden, the first relative directory ends the search")
{
    char path[PATH_MAX];
    struct place hidden = {.dirfd = AT_FDCWD, .is_hidden = true};
    equal(search_list(&hidden, "/nowhere:d0:/bin", "sh", path, sizeof path), 0);
    equal_text(path, "d0/sh");
    equal(search_list(&hidden, "/bin:d0", "sh", path, sizeof path), 0);
    equal_text(path, "/bin/sh");
    equal(search_list(&hidden, "/nowhere", "sh", path, sizeof path), -ENOENT);
}

TEST("what does not fit is told, and no name is found nowhere")
{
    char path[PATH_MAX], small[6];
    struct place here = {.dirfd = AT_FDCWD};
    equal(search_list(&here, "/bin", "sh", small, sizeof small), -ENAMETOOLONG);
    equal(search_list(&here, "/bin", "", path, sizeof path), -ENOENT);
    equal(search_list(&here, NULL, "sh", path, sizeof path), 0);
    equal_text(path, "/bin/sh");
    static char list[PATH_MAX + 8];
    memset(list, 'x', PATH_MAX);
    strcpy(list + PATH_MAX, ":/bin");
    equal(search_list(&here, list, "sh", path, sizeof path), 0); /* as execvp(3) skips it */
    equal_text(path, "/bin/sh");
}

TEST("a command with a slash is what it says, one without is searched for")
{
    char path[PATH_MAX];
    setenv("PATH", "/nowhere:/bin", 1);
    equal(search_command("sh", path), 0);
    equal_text(path, "/bin/sh");
    equal(search_command("/bin/sh", path), 0);
    equal_text(path, "/bin/sh");
    equal(search_command("./sh", path), -ENOENT);
    equal(search_command("/bin", path), -EACCES);
    equal(search_command("/proc/self/status", path), -EACCES);
}
