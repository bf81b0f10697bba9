#include "command/settings.h"

#include "command/command.h"
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
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

static void take_file(const char *name, int fd, settings_take *take, void *context)
{
    static char text[FILE_SIZE_MAX];
    struct settings_line line = {.file = name};
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

void settings_read(const char *file, settings_take *take, void *context)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        command_fail(portmap_strerror(-errno), "name a file that can be read", "%s", file);
    take_file(file, fd, take, context);
    close(fd);
}

/* Why a file that was found is not to be read, NULL: it may be. fstat() checks the file, lstat() a link to
 * it, which another user may have made. */
static const char *why_not_read(int fd, const char **remedy)
{
    struct stat st, link;
    *remedy = "use -f FILE, or remove it";
    if (fd < 0 || fstat(fd, &st) != 0 || lstat(found_file, &link) != 0)
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
        *remedy = "chmod o-w .portshim";
        return "everybody may write it";
    }
    return NULL;
}

/* In a directory where others may write, a .portshim may be theirs. A file that its group may write is
 * accepted, as git makes such files for users with a group of their own. */
void settings_find(bool quiet, settings_take *take, void *context)
{
    const char *remedy;
    int fd = open(found_file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return;
    const char *why = why_not_read(fd, &remedy);
    if (why == NULL)
        take_file(found_file, fd, take, context);
    else if (!quiet)
        command_warn(why, remedy, "%s is not read", found_file);
    if (fd >= 0)
        close(fd);
}
