#include "command/worktree.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(WORKTREE_PATH_SIZE == PATH_MAX, "paths are as long as the kernel takes them");

/* Digits of a commit: at least, and as git shows it. */
enum { COMMIT = 40, SHORT_COMMIT = 7 };

int worktree_above(const char *directory, unsigned levels, char path[static WORKTREE_PATH_SIZE])
{
    struct text t = text_in(path, WORKTREE_PATH_SIZE);
    text_str(&t, directory);
    while (levels-- > 0)
        text_str(&t, "/..");
    return t.cut ? -ENAMETOOLONG : 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a directory has a file or directory `.git`, or a link to one. */
static bool has_git(const char *directory)
{
    struct stat st;
    char path[PATH_MAX];
    struct text t = text_in(path, sizeof path);
    text_str(&t, directory);
    text_str(&t, "/.git");
    return !t.cut && stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode));
}

struct worktree worktree_of(const char *directory)
{
    struct stat home, here, above;
    char path[WORKTREE_PATH_SIZE];
    const char *home_path = secure_getenv("HOME");
    bool has_home = home_path != NULL && *home_path == '/' && stat(home_path, &home) == 0;
    struct worktree worktree = {0};
    if (stat(directory, &here) < 0)
        return worktree;
    for (;;) {
        worktree.found = worktree_above(directory, worktree.height, path) == 0 && has_git(path);
        if (worktree.found || (has_home && is_same(&here, &home)))
            return worktree;
        if (worktree_above(directory, worktree.height + 1, path) != 0 || stat(path, &above) < 0 ||
            above.st_dev != here.st_dev || is_same(&above, &here))
            return worktree;
        here = above;
        worktree.height++;
    }
}

/* Reads a short regular file below `dir`, without the blanks at its end. A FIFO or device that somebody has
 * put in its place is not opened. */
static bool read_short(int dir, const char *name, char *buffer, size_t size)
{
    struct stat st;
    if (fstatat(dir, name, &st, 0) < 0 || !S_ISREG(st.st_mode))
        return false;
    int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, buffer, size) : -1;
    close(fd);
    if (got < 0 || (size_t)got == size || memchr(buffer, '\0', (size_t)got) != NULL)
        return false;
    while (got > 0 && isspace((unsigned char)buffer[got - 1]))
        got--;
    buffer[got] = '\0';
    return true;
}

/* What follows a word and blanks at the beginning of a text; NULL when it begins in another way. */
static const char *after(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncmp(text, word, len) == 0 ? text + len + strspn(text + len, " \t") : NULL;
}

/* Opens the directory with the HEAD of the worktree whose root this is; -1 when there is none. In worktrees
 * that `git worktree` has made, and in submodules, `.git` is a file that names it. */
static int open_git(const char *root)
{
    char text[PATH_MAX + 16];
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    int git = openat(dir, ".git", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (git < 0 && read_short(dir, ".git", text, sizeof text)) {
        const char *path = after(text, "gitdir:");
        if (path != NULL)
            git = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    close(dir);
    return git;
}

/* Takes the branch from a reference, such as refs/heads/main. Where git keeps references in tables, HEAD has
 * one that no branch can have. */
static bool take_reference(const char *reference, char *branch, size_t size)
{
    const char *name = after(reference, "refs/heads/");
    struct text t = text_in(branch, size);
    if (name == NULL || *name == '\0' || *name == '.')
        return false;
    text_str(&t, name);
    return !t.cut;
}

/* HEAD is a reference, the number of a commit, or, as very old versions of git make it, a link. */
static bool read_head(int git, char *branch, size_t size)
{
    char head[PATH_MAX];
    ssize_t len = readlinkat(git, "HEAD", head, sizeof head - 1);
    if (len > 0) {
        head[len] = '\0';
        if (take_reference(head, branch, size))
            return true;
    }
    if (!read_short(git, "HEAD", head, sizeof head))
        return false;
    const char *reference = after(head, "ref:");
    if (reference != NULL)
        return take_reference(reference, branch, size);
    size_t digits = strspn(head, "0123456789abcdef");
    struct text t = text_in(branch, size);
    if (digits < COMMIT || head[digits] != '\0')
        return false;
    text_bytes(&t, head, SHORT_COMMIT);
    return !t.cut;
}

bool worktree_branch(const char *directory, char *branch, size_t size)
{
    char root[WORKTREE_PATH_SIZE];
    struct worktree worktree = worktree_of(directory);
    int git = worktree.found && worktree_above(directory, worktree.height, root) == 0 ? open_git(root) : -1;
    bool read = git >= 0 && read_head(git, branch, size);
    if (git >= 0)
        close(git);
    return read;
}
