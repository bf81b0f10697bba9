#include "command/library.h"

#include "base/text.h"
#include "command/command.h"
#include "command/trapping.h"
#include "error.h"
#include "program/elf.h"
#include "program/preload.h"
#include "run/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PORTSHIM_MULTIARCH
#define PORTSHIM_MULTIARCH "."
#endif

/* The path of this program, without symbolic links, which is looked for once. NULL and errno where that
 * cannot be told. */
static const char *find_program(void)
{
    static char path[PATH_MAX];
    ssize_t len = *path == '\0' ? readlink("/proc/self/exe", path, sizeof path - 1) : 1;
    return len > 0 ? path : NULL;
}

/* Opens the library that lies beside this program, and tells its path, without symbolic links. Returns a
 * descriptor or a negated errno. */
static int open_beside_program(char path[static PATH_MAX])
{
    static const char *const places[] = {"libportshim.so", "../lib/libportshim.so",
                                         "../lib/portshim/libportshim.so",
                                         "../lib/" PORTSHIM_MULTIARCH "/libportshim.so"};
    char link[32];
    const char *program = find_program();
    *path = '\0';
    if (program == NULL)
        return -errno;
    int fd = -ENOENT;
    for (unsigned i = 0; i < sizeof places / sizeof *places && (fd == -ENOENT || fd == -ENOTDIR); i++) {
        struct text t = text_in(path, PATH_MAX);
        text_bytes(&t, program, (size_t)(strrchr(program, '/') + 1 - program));
        text_str(&t, places[i]);
        int opened = open(path, O_RDONLY | O_CLOEXEC);
        fd = t.cut ? -ENAMETOOLONG : opened < 0 ? -errno : opened;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = fd >= 0 ? readlink(link, path, PATH_MAX - 1) : -1;
    if (len > 0)
        path[len] = '\0';
    return fd;
}

static bool is_wrong(struct problem *problem, const char *subject, const char *why, const char *remedy)
{
    problem_of(problem, subject, why, remedy);
    return false;
}

bool library_look(char path[static PATH_MAX], struct problem *problem)
{
    const char *given = secure_getenv("PORTSHIM_LIB");
    bool is_given = given != NULL && *given != '\0';
    if (is_given && realpath(given, path) == NULL)
        return is_wrong(problem, given, portmap_strerror(-errno), "let PORTSHIM_LIB name libportshim.so");
    int fd = is_given ? open(path, O_RDONLY | O_CLOEXEC) : open_beside_program(path);
    int error = is_given && fd < 0 ? -errno : fd;
    if (!is_given && (error == -ENOENT || error == -ENOTDIR))
        return is_wrong(problem, "libportshim.so", "not found beside this program or in ../lib",
                        "install it there, or set PORTSHIM_LIB");
    bool good = fd >= 0 && elf_is_our_library(fd);
    if (fd >= 0)
        close(fd);
    if (strpbrk(path, " :") != NULL)
        return is_wrong(problem, path, "LD_PRELOAD cannot carry a path with a space or colon",
                        "move it, or set PORTSHIM_LIB");
    if (error < 0)
        return is_wrong(problem, path, portmap_strerror(error), "make it readable, or set PORTSHIM_LIB");
    return good || is_wrong(problem, path, "not a library of this machine's kind",
                            "install the one built with this portshim");
}

void library_find(char path[static PATH_MAX])
{
    static struct problem problem;
    if (!library_look(path, &problem))
        command_fail_of(&problem);
}

static void preload(const char *path)
{
    const char *list = getenv("LD_PRELOAD");
    if (list == NULL)
        list = "";
    size_t size = strlen(path) + strlen(list) + 2;
    char *value = malloc(size);
    if (value == NULL)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "LD_PRELOAD");
    struct text t = text_in(value, size);
    preload_write(&t, path, path, list);
    setenv("LD_PRELOAD", value, 1);
    free(value);
}

void library_leave_out(void)
{
    const char *list = getenv("LD_PRELOAD"), *given = secure_getenv("PORTSHIM_LIB");
    char path[PATH_MAX];
    if (list == NULL)
        return;
    if (given == NULL || realpath(given, path) == NULL)
        *path = '\0';
    char *value = malloc(strlen(list) + 1);
    if (value == NULL)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "LD_PRELOAD");
    struct text t = text_in(value, strlen(list) + 1);
    preload_write_without(&t, path, list);
    if (t.used == 0)
        unsetenv("LD_PRELOAD");
    else
        setenv("LD_PRELOAD", value, 1);
    free(value);
}

bool library_enter_run(const char *path, const struct run *run, const struct compact_trap *trap)
{
    static char compact[COMPACT_SIZE];
    struct compact_trap all = *trap;
    all.is_on = all.is_on || trapping_is_below();
    all.command = find_program();
    all.command_length = all.command != NULL ? strlen(all.command) : 0;
    if (!run_compact(run, &all, compact, sizeof compact))
        return false;
    preload(path);
    if (setenv("PORTSHIM_RUN", run->path, 1) < 0 || setenv(COMPACT_VARIABLE, compact, 1) < 0)
        command_fail(portmap_strerror(-ENOMEM), "free some memory", "the environment");
    return true;
}
