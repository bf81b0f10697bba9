#include "elf.h"

#include "text.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { SCRIPT_HEAD = 256 };

/* The linker puts this name at the beginning of what it makes, be it a program or a library. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool is_our_kind(const ElfW(Ehdr) * header)
{
    return header->e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
           header->e_machine == __ehdr_start.e_machine;
}

static bool find_interpreter(int fd, const ElfW(Ehdr) * header, ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        off_t at = (off_t)(header->e_phoff + (ElfW(Off))i * header->e_phentsize);
        if (pread(fd, segment, sizeof *segment, at) == sizeof *segment && segment->p_type == PT_INTERP)
            return true;
    }
    return false;
}

static bool has_interpreter(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    return find_interpreter(fd, header, &segment);
}

void elf_interpreter(int fd, char *path, size_t size)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    *path = '\0';
    if (pread(fd, &header, sizeof header, 0) != sizeof header || !is_our_kind(&header) ||
        !find_interpreter(fd, &header, &segment))
        return;
    ssize_t len =
        pread(fd, path, segment.p_filesz < size ? segment.p_filesz : size - 1, (off_t)segment.p_offset);
    path[len > 0 ? len : 0] = '\0';
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

/* "#! /bin/sh -e" to "/bin/sh". */
static void script_interpreter(const char *head, char *path, size_t size)
{
    if (strncmp(head, "#!", 2) != 0)
        return;
    head += 2 + strspn(head + 2, " \t");
    struct text t = text_in(path, size);
    text_bytes(&t, head, strcspn(head, " \t\n"));
}

enum program_kind elf_judge(int fd, char *interpreter, size_t size)
{
    union {
        ElfW(Ehdr) header;
        char text[SCRIPT_HEAD + 1];
    } head = {.text = ""};
    ssize_t len = pread(fd, head.text, SCRIPT_HEAD, 0);
    *interpreter = '\0';
    if (len < (ssize_t)sizeof head.header || memcmp(head.text, ELFMAG, SELFMAG) != 0) {
        script_interpreter(head.text, interpreter, size);
        return PROGRAM_UNKNOWN;
    }
    if (!is_our_kind(&head.header))
        return PROGRAM_WRONG_CLASS;
    if (is_go(fd, &head.header))
        return PROGRAM_GO;
    return has_interpreter(fd, &head.header) ? PROGRAM_DYNAMIC : PROGRAM_STATIC;
}

bool elf_is_our_library(int fd)
{
    ElfW(Ehdr) header;
    return pread(fd, &header, sizeof header, 0) == sizeof header &&
           memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN && is_our_kind(&header);
}
