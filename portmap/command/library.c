#include "command/library.h"

#include "base/text.h"
#include "command/command.h"
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

static bool find_beside_program(char path[static PATH_MAX])
{
    static const char *const places[] = {"libportshim.so", "../lib/libportshim.so",
                                         "../lib/portshim/libportshim.so",
                                         "../lib/" PORTSHIM_MULTIARCH "/libportshim.so"};
    char program[PATH_MAX], candidate[PATH_MAX + 64];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return false;
    program[len] = '\0';
    *strrchr(program, '/') = '\0';
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(candidate, sizeof candidate, "%s/%s", program, places[i]);
        if (realpath(candidate, path) != NULL)
            return true;
    }
    return false;
}

static bool is_wrong(struct problem *problem, const char *subject, const char *why, const char *remedy)
{
    problem_of(problem, subject, why, remedy);
    return false;
}

static int check_class(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool good = elf_is_our_library(fd);
    close(fd);
    return good ? 0 : PORTMAP_ETORN;
}

bool library_look(char path[static PATH_MAX], struct problem *problem)
{
    const char *given = secure_getenv("PORTSHIM_LIB");
    if (given != NULL && *given != '\0') {
        if (realpath(given, path) == NULL)
            return is_wrong(problem, given, strerror(errno), "let PORTSHIM_LIB name libportshim.so");
    } else if (!find_beside_program(path)) {
        return is_wrong(problem, "libportshim.so", "not found beside this program or in ../lib",
                        "install it there, or set PORTSHIM_LIB");
    }
    if (strpbrk(path, " :") != NULL)
        return is_wrong(problem, path, "LD_PRELOAD cannot carry a path with a space or colon",
                        "move it, or set PORTSHIM_LIB");
    int error = check_class(path);
    if (error == PORTMAP_ETORN)
        return is_wrong(problem, path, "not a library of this machine's kind",
                        "install the one built with this portshim");
    return error == 0 ||
           is_wrong(problem, path, portmap_strerror(error), "make it readable, or set PORTSHIM_LIB");
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
        command_fail(strerror(ENOMEM), "free some memory", "LD_PRELOAD");
    struct text t = text_in(value, size);
    preload_write(&t, path, path, list);
    setenv("LD_PRELOAD", value, 1);
    free(value);
}

bool library_enter_run(const char *path, const struct run *run)
{
    static char compact[COMPACT_SIZE];
    if (!run_compact(run, compact, sizeof compact))
        return false;
    preload(path);
    if (setenv("PORTSHIM_RUN", run->path, 1) < 0 || setenv(COMPACT_VARIABLE, compact, 1) < 0)
        command_fail(strerror(ENOMEM), "free some memory", "the environment");
    return true;
}
