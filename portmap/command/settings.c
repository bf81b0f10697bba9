#include "command/settings.h"

#include "base/text.h"
#include "base/utf8.h"
#include "command/command.h"
#include "command/worktree.h"
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 65536 };

static const char found_file[] = ".portshim";

static void take_line(char *text, struct settings_line *line, settings_take *take, void *context)
{
    char *comment = strchr(text, '#');
    if (comment != NULL)
        *comment = '\0';
    text += strspn(text, " \t\r");
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    if (len == 0)
        return;
    line->text = text;
    line->word_length = strcspn(text, " \t=");
    line->value = text + line->word_length;
    line->value += strspn(line->value, " \t=");
    take(line, context);
}

static void take_file(const char *name, const char *directory, int fd, settings_take *take, void *context)
{
    static char text[FILE_SIZE_MAX];
    struct settings_line line = {.file = name, .directory = directory};
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && used < sizeof text) {
        got = read(fd, text + used, sizeof text - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        command_fail(portmap_strerror(-errno), "name a file that can be read", "%s", name);
    if (used == sizeof text || memchr(text, '\0', used) != NULL)
        command_fail("too long, or not a text", "name a file of settings", "%s", name);
    text[used] = '\0';
    for (char *at = text; at != NULL;) {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end++ = '\0';
        line.number++;
        take_line(at, &line, take, context);
        at = end;
    }
}

/* The path of a file's directory, in path[PATH_MAX]. */
static const char *directory_of(const char *file, char path[static PATH_MAX])
{
    const char *slash = strrchr(file, '/');
    struct text t = text_in(path, PATH_MAX);
    text_bytes(&t, file, slash != NULL ? (size_t)(slash - file) : 0);
    return slash == NULL ? "." : slash == file ? "/" : path;
}

void settings_read(const char *file, settings_take *take, void *context)
{
    static char directory[PATH_MAX];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        command_fail(portmap_strerror(-errno), "name a file that can be read", "%s", file);
    take_file(file, directory_of(file, directory), fd, take, context);
    close(fd);
}

/* A .portshim. */
struct found {
    int fd; /* -1: it cannot be opened, for `error` */
    int error;
    char directory[PATH_MAX], path[PATH_MAX];
    char shown[PATH_MAX]; /* its path, short for the one of the working directory */
};

/* Why it is not to be read, NULL: it may be. fstat() checks the file, lstat() a link to it, which another
 * user may have made. */
static const char *why_not_read(const struct found *found, const char **remedy)
{
    static char chmod_it[PATH_MAX + 16];
    struct stat st, link;
    *remedy = "use -f FILE, or remove it";
    if (found->fd < 0)
        return portmap_strerror(found->error);
    if (fstat(found->fd, &st) != 0 || lstat(found->path, &link) != 0)
        return portmap_strerror(-errno);
    if (!S_ISREG(st.st_mode))
        return "it is not a regular file";
    if (st.st_uid != geteuid()) {
        *remedy = "own it, use -f FILE, or remove it";
        return "it is another user's";
    }
    if (link.st_uid != geteuid())
        return "another user has made the link";
    if ((st.st_mode & S_IWOTH) != 0) {
        snprintf(chmod_it, sizeof chmod_it, "chmod o-w %s", found->shown);
        *remedy = chmod_it;
        return "everybody may write it";
    }
    return NULL;
}

/* Fills in how to name the file to people, who may see it on a terminal or as a comment in a file. */
static void show(struct found *found, unsigned height)
{
    char absolute[PATH_MAX];
    struct text t = text_in(found->shown, sizeof found->shown);
    if (height > 0)
        text_str(&t, realpath(found->directory, absolute) != NULL ? absolute : found->directory);
    text_str(&t, height == 0 ? "" : "/");
    text_str(&t, found_file);
    utf8_fit(found->shown, 0);
}

/* Opens the .portshim that is so many levels above the working directory. False when there is none. */
static bool open_at(struct found *found, unsigned height)
{
    if (worktree_above(".", height, found->path) != 0)
        return false;
    size_t length = strlen(found->path);
    struct text t = text_in(found->path + length, sizeof found->path - length);
    text_char(&t, '/');
    text_str(&t, found_file);
    found->fd = t.cut ? -1 : open(found->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    found->error = found->fd < 0 ? -errno : 0;
    if (t.cut || found->error == -ENOENT)
        return false;
    struct text directory = text_in(found->directory, sizeof found->directory);
    text_bytes(&directory, found->path, length);
    show(found, height);
    return true;
}

/* In a directory where others may write, a .portshim may be theirs. A file that its group may write is
 * accepted, as git makes such files for users with a group of their own. */
void settings_find(bool quiet, settings_take *take, void *context)
{
    static struct found found;
    const char *remedy;
    bool is_there = open_at(&found, 0);
    struct worktree worktree = is_there ? (struct worktree){0} : worktree_of(".");
    for (unsigned height = 1; !is_there && worktree.found && height <= worktree.height; height++)
        is_there = open_at(&found, height);
    if (!is_there)
        return;
    const char *why = why_not_read(&found, &remedy);
    if (why == NULL)
        take_file(found.shown, found.directory, found.fd, take, context);
    else if (!quiet)
        command_warn(why, remedy, "%s is not read", found.shown);
    if (found.fd >= 0)
        close(found.fd);
}
