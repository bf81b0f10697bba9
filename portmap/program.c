#include "program.h"

#include "error.h"
#include "text.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A script's interpreter may be a script; the kernel follows this many (BINPRM_BUF_SIZE, bprm->recursion). */
enum { SCRIPT_DEPTH = 5, SCRIPT_HEAD = 256 };

static int check_executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode) || access(path, X_OK) < 0)
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

static bool is_our_kind(const ElfW(Ehdr) * header)
{
    ElfW(Ehdr) own;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool read_it = fd >= 0 && read(fd, &own, sizeof own) == sizeof own;
    if (fd >= 0)
        close(fd);
    /* Without /proc nothing can be compared; ld.so will still say what it thinks. */
    return !read_it ||
           (header->e_ident[EI_CLASS] == own.e_ident[EI_CLASS] && header->e_machine == own.e_machine);
}

static bool has_interpreter(int fd, const ElfW(Ehdr) * header)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        off_t at = (off_t)(header->e_phoff + (ElfW(Off))i * header->e_phentsize);
        if (pread(fd, &segment, sizeof segment, at) == sizeof segment && segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

/* The linker of Go leaves its build id or build information in a section of its own, also in dynamic
 * programs. */
static bool is_go(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Shdr) names, section;
    off_t table = (off_t)header->e_shoff;
    if (header->e_shentsize != sizeof section ||
        pread(fd, &names, sizeof names, table + (off_t)(header->e_shstrndx * sizeof names)) != sizeof names)
        return false;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        char name[20] = "";
        if (pread(fd, &section, sizeof section, table + (off_t)(i * sizeof section)) != sizeof section ||
            pread(fd, name, sizeof name - 1, (off_t)(names.sh_offset + section.sh_name)) <= 0)
            return false;
        if (strcmp(name, ".note.go.buildid") == 0 || strcmp(name, ".go.buildinfo") == 0)
            return true;
    }
    return false;
}

static enum program_kind judge_elf(int fd, const ElfW(Ehdr) * header)
{
    if (!is_our_kind(header))
        return PROGRAM_WRONG_CLASS;
    if (is_go(fd, header))
        return PROGRAM_GO;
    return has_interpreter(fd, header) ? PROGRAM_DYNAMIC : PROGRAM_STATIC;
}

/* "#! /bin/sh -e" to "/bin/sh". */
static bool script_interpreter(const char *head, char path[static PATH_MAX])
{
    if (strncmp(head, "#!", 2) != 0)
        return false;
    head += 2 + strspn(head + 2, " \t");
    size_t len = strcspn(head, " \t\n");
    struct text t = text_in(path, PATH_MAX);
    text_bytes(&t, head, len);
    return len > 0;
}

void program_inspect(const char *path, struct program *program)
{
    struct text t = text_in(program->file, sizeof program->file);
    text_str(&t, path);
    program->kind = PROGRAM_UNKNOWN;
    program->privileged = false;
    for (unsigned depth = 0; depth < SCRIPT_DEPTH; depth++) {
        union {
            ElfW(Ehdr) header;
            char text[SCRIPT_HEAD + 1];
        } head = {.text = ""};
        struct stat st;
        int fd = open(program->file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return;
        ssize_t len = read(fd, head.text, SCRIPT_HEAD);
        bool elf = len >= (ssize_t)sizeof head.header && memcmp(head.text, ELFMAG, SELFMAG) == 0;
        if (elf)
            program->kind = judge_elf(fd, &head.header);
        if (elf && fstat(fd, &st) == 0)
            program->privileged = ((st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid()) ||
                                  ((st.st_mode & S_ISGID) != 0 && st.st_gid != getegid());
        close(fd);
        if (elf || !script_interpreter(head.text, program->file))
            return;
    }
}

int program_check_library(const char *path)
{
    ElfW(Ehdr) header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, &header, sizeof header);
    close(fd);
    bool good = len == sizeof header && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                header.e_type == ET_DYN && is_our_kind(&header);
    return good ? 0 : PORTMAP_ETORN;
}
