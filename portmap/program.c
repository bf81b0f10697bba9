#include "program.h"

#include "error.h"
#include "sighting.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int check_executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
        return -EACCES;
    return 0;
}

int program_find(const char *command, char path[static PATH_MAX])
{
    struct text t = text_in(path, PATH_MAX);
    if (strchr(command, '/') != NULL) {
        text_str(&t, command);
        return t.cut ? -ENAMETOOLONG : check_executable(path);
    }
    const char *list = getenv("PATH");
    int result = -ENOENT;
    if (list == NULL)
        list = "/bin:/usr/bin"; /* as glibc's execvp() */
    for (;;) {
        size_t len = strcspn(list, ":");
        t = text_in(path, PATH_MAX);
        text_bytes(&t, len == 0 ? "." : list, len == 0 ? 1 : len);
        text_char(&t, '/');
        text_str(&t, command);
        int error = *command == '\0' || t.cut ? -ENOENT : check_executable(path);
        if (error == 0)
            return 0;
        if (error == -EACCES)
            result = error;
        if (list[len] == '\0')
            return result;
        list += len + 1;
    }
}

static bool is_privileged(int fd, const struct stat *st)
{
    bool other_user = ((st->st_mode & S_ISUID) != 0 && st->st_uid != geteuid()) ||
                      ((st->st_mode & SET_GROUP_ID) == SET_GROUP_ID && st->st_gid != getegid());
    return (other_user && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) ||
           (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

void program_inspect(const char *path, struct program *program)
{
    struct text t = text_in(program->file, sizeof program->file);
    char interpreter[PATH_MAX];
    struct stat st;
    text_str(&t, path);
    program->kind = PROGRAM_UNKNOWN;
    program->privileged = false;
    program->inode = 0;
    for (unsigned depth = 0; depth < SCRIPT_DEPTH; depth++) {
        int fd = open(program->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* "#!" may name a pipe */
        if (fd < 0)
            return;
        program->kind = elf_judge(fd, interpreter, sizeof interpreter);
        if (fstat(fd, &st) == 0) {
            program->privileged = *interpreter == '\0' && is_privileged(fd, &st);
            program->device = sighting_device(&st);
            program->inode = st.st_ino;
        }
        close(fd);
        if (*interpreter == '\0')
            return;
        t = text_in(program->file, sizeof program->file);
        text_str(&t, interpreter);
    }
}

const char *program_out_of_reach(const struct program *program)
{
    if (program->privileged)
        return "set-user-ID, set-group-ID or with capabilities, so ld.so ignores the library";
    if (program->kind == PROGRAM_STATIC)
        return "statically linked, so the library is not loaded";
    return program->kind == PROGRAM_GO ? "a Go program, which passes the library by" : NULL;
}

const char *program_remedy(const struct program *program)
{
    return program->privileged           ? "run it as its owner"
           : program->kind == PROGRAM_GO ? "build it with its port as an option"
                                         : "use a dynamic build";
}

void program_note(struct map *map, const struct program *program)
{
    if (program_out_of_reach(program) == NULL)
        return;
    uint32_t kind = (uint32_t)program->kind | (program->privileged ? PROGRAM_PRIVILEGED : 0);
    unsigned number = sighting_program(map, program->device, program->inode, program->file, kind);
    sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .program = number});
}

int program_check_library(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool good = elf_is_our_library(fd);
    close(fd);
    return good ? 0 : PORTMAP_ETORN;
}
