#include "run/find.h"

#include "base/kernel.h"
#include "base/text.h"
#include "error.h"
#include "run/name.h"
#include "run/publish.h"
#include "run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes the id from the end of a run directory's path, which has to lie in this home. Gives the path its
 * usual spelling. */
static int id_of(const struct home *home, char path[static PATH_MAX], uint64_t *run_id)
{
    char expected[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    const char *slash = strrchr(path, '/');
    if (slash == NULL || !rundir_id(slash + 1, run_id))
        return PORTMAP_ESYNTAX;
    int error = rundir_path(home, *run_id, expected);
    if (error != 0 || strcmp(path, expected) == 0)
        return error;
    /* Spelled in another way, or below another home. */
    struct stat given, own;
    if (stat(path, &given) < 0)
        return PORTMAP_ENORUN;
    if (stat(expected, &own) < 0 || given.st_dev != own.st_dev || given.st_ino != own.st_ino)
        return PORTMAP_EFOREIGN;
    memcpy(path, expected, sizeof expected);
    return 0;
}

/* As find_run(), for the id of a run that has no name, as `portshim ls` shows it. */
static int find_id(const struct home *home, const char *word, char path[static PATH_MAX], uint64_t *run_id)
{
    struct stat st;
    int error = rundir_id(word, run_id) ? rundir_path(home, *run_id, path) : PORTMAP_ENORUN;
    return error == 0 && stat(path, &st) < 0 ? PORTMAP_ENORUN : error;
}

int find_run(const struct home *home, const char *run, char path[static PATH_MAX], uint64_t *run_id)
{
    struct stat st;
    if (name_is_valid(run) && (*run_id = name_find(home, run)) != 0)
        return rundir_path(home, *run_id, path);
    if (stat(run, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? find_id(home, run, path, run_id) : -errno;
    if (!S_ISDIR(st.st_mode)) {
        int error = publish_read_run(run, path, PATH_MAX);
        return error != 0 ? error : id_of(home, path, run_id);
    }
    struct text t = text_in(path, PATH_MAX);
    text_str(&t, run);
    int error = t.cut ? -ENAMETOOLONG : id_of(home, path, run_id);
    /* This directory has nothing to do with runs: the word may be the name of a run to come. */
    return error == PORTMAP_ESYNTAX && name_is_valid(run) ? PORTMAP_ENORUN : error;
}

static bool is_anothers(const char *path, int flags)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC | flags);
    if (fd < 0)
        return false;
    bool may_name_run =
        fstat(fd, &st) == 0 && (S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0));
    bool anothers = may_name_run && kernel_owner(fd) != kernel_euid();
    close(fd);
    return anothers;
}

bool find_is_anothers_file(const char *file)
{
    struct stat st;
    bool is_file = stat(file, &st) == 0 && S_ISREG(st.st_mode);
    return is_file && (is_anothers(file, 0) || is_anothers(file, O_NOFOLLOW));
}
