#include "program/search.h"

#include "base/environment.h"
#include "base/kernel.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

const char *place_path(struct place *place, const char *path)
{
    if (*path == '/')
        return path;
    if (place->is_hidden)
        return NULL;
    if (place->length == 0)
        return path;
    struct text t = {.at = place->path, .size = PATH_MAX, .used = place->length};
    text_str(&t, path);
    return t.cut ? NULL : place->path;
}

static int check_executable(int dirfd, const char *path)
{
    struct stat file;
    int error = kernel_stat(dirfd, path, 0, &file);
    if (error != 0)
        return error;
    return S_ISREG(file.st_mode) && faccessat(dirfd, path, X_OK, 0) == 0 ? 0 : -EACCES;
}

int search_list(struct place *place, const char *list, const char *name, char *path, size_t size)
{
    int result = -ENOENT;
    if (*name == '\0')
        return result;
    for (list = list != NULL ? list : "/bin:/usr/bin";; list++) { /* the default is glibc's */
        size_t len = strcspn(list, ":");
        struct text t = text_in(path, size);
        text_bytes(&t, list, len);
        text_str(&t, len > 0 ? "/" : "");
        text_str(&t, name);
        if (t.cut && size < PATH_MAX)
            return -ENAMETOOLONG;
        const char *found = t.cut ? NULL : place_path(place, path);
        int error = found != NULL ? check_executable(place->dirfd, found) : -ENOENT;
        if (error == 0 || (place->is_hidden && *path != '/'))
            return 0;
        if (error == -EACCES)
            result = error;
        list += len;
        if (*list == '\0')
            return result;
    }
}

int search_command(const char *command, char path[static PATH_MAX])
{
    struct place here = {.dirfd = AT_FDCWD};
    if (strchr(command, '/') == NULL)
        return search_list(&here, environment_get(environ, "PATH"), command, path, PATH_MAX);
    struct text t = text_in(path, PATH_MAX);
    text_str(&t, command);
    return t.cut ? -ENAMETOOLONG : check_executable(AT_FDCWD, path);
}
