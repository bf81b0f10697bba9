#include "program/reach.h"

#include "base/kernel.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>

/* Without S_IXGRP, S_ISGID does not give the group's rights: it once meant mandatory locking. */
enum { SET_GROUP_ID = S_ISGID | S_IXGRP };

static bool gives_rights(const struct reach *reach)
{
    const struct stat *file = &reach->file;
    bool changes = ((file->st_mode & S_ISUID) != 0 && file->st_uid != kernel_euid()) ||
                   ((file->st_mode & SET_GROUP_ID) == SET_GROUP_ID && file->st_gid != kernel_egid());
    return (changes && !kernel_has_no_new_privs()) || (reach->is_capable && kernel_euid() != 0);
}

static void read_open(struct reach *reach, int fd, char *interpreter, size_t size)
{
    reach->kind = elf_judge(fd, interpreter, size);
    reach->is_capable = *interpreter == '\0' && kernel_has_capabilities(fd);
}

/* Opens the file at reach->path. -1 when that is not possible. */
static int open_file(const struct reach *reach)
{
    char through_proc[32];
    if (*reach->path != '\0')
        return kernel_open(reach->dirfd, reach->path);
    struct text t = text_in(through_proc, sizeof through_proc);
    text_str(&t, "/proc/self/fd/");
    text_uint(&t, (unsigned)reach->dirfd);
    return kernel_open(AT_FDCWD, through_proc);
}

static void read_file(struct reach *reach, char *interpreter, size_t size)
{
    if (*reach->path == '\0') {
        read_open(reach, reach->dirfd, interpreter, size);
        if (reach->kind != PROGRAM_UNKNOWN || *interpreter != '\0')
            return; /* else it may be open with O_PATH */
    }
    int fd = open_file(reach);
    if (fd < 0)
        return;
    read_open(reach, fd, interpreter, size);
    kernel_close(fd);
}

/* Judges the file at reach->path. interpreter[size] is the path of a script's interpreter, else empty. */
static void judge_file(struct reach *reach, const struct reach_asker *asker, char *interpreter, size_t size)
{
    *interpreter = '\0';
    reach->kind = PROGRAM_UNKNOWN;
    if (kernel_stat(reach->dirfd, reach->path, reach->flags, &reach->file) < 0 ||
        !S_ISREG(reach->file.st_mode))
        return;
    if (asker->knows == NULL || !asker->knows(asker->memory, reach))
        read_file(reach, interpreter, size);
    reach->is_privileged = *interpreter == '\0' && gives_rights(reach);
}

void reach_judge(struct reach *reach, int dirfd, const char *path, int flags, const struct reach_asker *asker)
{
    char interpreter[sizeof reach->interpreter] = "";
    *reach = (struct reach){.kind = PROGRAM_UNKNOWN, .dirfd = dirfd, .flags = flags, .path = path};
    for (unsigned scripts = 0; scripts <= SCRIPT_DEPTH && reach->path != NULL; scripts++) {
        judge_file(reach, asker, interpreter, sizeof interpreter);
        if (*interpreter == '\0')
            return;
        memcpy(reach->interpreter, interpreter, sizeof interpreter);
        reach->path = place_path(asker->place, reach->interpreter);
        reach->dirfd = asker->place->dirfd;
        reach->flags = 0;
    }
}

bool reach_runs_here(const struct reach *reach)
{
    int fd = reach->kind == PROGRAM_WRONG_CLASS ? open_file(reach) : -1;
    bool good = fd >= 0 && elf_is_for_this_machine(fd);
    if (fd >= 0)
        kernel_close(fd);
    return good || reach->kind != PROGRAM_WRONG_CLASS;
}

void reach_judge_here(struct reach *reach, const char *path)
{
    struct place here = {.dirfd = AT_FDCWD};
    reach_judge(reach, AT_FDCWD, path, 0, &(struct reach_asker){.place = &here});
}

const struct obstacle *reach_obstacle(enum program_kind kind, bool is_privileged)
{
    static const struct obstacle is_static = {"statically linked", "use a dynamic build",
                                              "statically linked: nothing is preloaded",
                                              "use a dynamic build"};
    static const struct obstacle is_go = {
        "a Go program", "give it its port as an option", "a Go program, which enters the kernel by itself",
        "give it its port as an option: $PORTSHIM_PORT_8080 has the real one"};
    static const struct obstacle is_foreign = {
        "of another ELF class or machine", "start it by a portshim of its own class",
        "of another ELF class or machine",
        "build portshim for its class: make CC='gcc -m32', and name it in PORTSHIM_LIB"};
    static const struct obstacle is_of_other_libc = {
        "linked to another libc", "use a build for glibc",
        "linked to another libc than glibc, which cannot load the library",
        "use a build for glibc, or give it its port as an option"};
    static const struct obstacle gives_rights = {
        "set-user-ID, set-group-ID or with capabilities", "run it as its owner",
        "set-user-ID, set-group-ID or has capabilities: ld.so ignores the library",
        "run it as its owner, or a copy without the privilege"};
    if (is_privileged)
        return &gives_rights;
    switch (kind) {
    case PROGRAM_STATIC:
        return &is_static;
    case PROGRAM_GO:
        return &is_go;
    case PROGRAM_WRONG_CLASS:
        return &is_foreign;
    case PROGRAM_OTHER_LIBC:
        return &is_of_other_libc;
    default:
        return NULL;
    }
}

enum reach_way reach_way(enum program_kind kind, bool is_privileged)
{
    if (reach_obstacle(kind, is_privileged) == NULL)
        return WAY_LIBRARY;
    return is_privileged ? WAY_NONE : WAY_TRAP;
}
