#include "program/elf.h"

#include "base/kernel.h"
#include "base/text.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

enum {
    SCRIPT_HEAD = 256,
    /* Limits on what is read, whatever the file claims to have: this runs inside of an exec. */
    MOST_SEGMENTS = 65536 / sizeof(ElfW(Phdr)), /* the kernel starts nothing with more (load_elf_phdrs) */
    MOST_SECTIONS = 256,
    MOST_DYNAMIC = 4096,
    MOST_NOTES = 64
};

/* Our own ELF header, to compare with: the linker defines this name at the start of what it makes. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool is_our_kind(const ElfW(Ehdr) * header)
{
    return header->e_ident[EI_CLASS] == __ehdr_start.e_ident[EI_CLASS] &&
           header->e_machine == __ehdr_start.e_machine;
}

static bool read_at(int fd, void *to, size_t size, uint64_t at)
{
    return kernel_pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

static bool find_segment(int fd, const ElfW(Ehdr) * header, ElfW(Word) type, ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < header->e_phnum && i < MOST_SEGMENTS; i++)
        if (read_at(fd, segment, sizeof *segment, header->e_phoff + (ElfW(Off))i * header->e_phentsize) &&
            segment->p_type == type)
            return true;
    return false;
}

/* The n-th entry of the dynamic section; DT_NULL past its end. */
static ElfW(Dyn) dynamic_entry(int fd, const ElfW(Phdr) * segment, unsigned n)
{
    ElfW(Dyn) entry;
    ElfW(Off) at = n * (ElfW(Off))sizeof entry;
    if (n >= MOST_DYNAMIC || at + sizeof entry > segment->p_filesz ||
        !read_at(fd, &entry, sizeof entry, segment->p_offset + at))
        entry.d_tag = DT_NULL;
    return entry;
}

/* Whether a file without an interpreter is ld.so itself, which preloads for the program that it is told to
 * load. Only ld.so has a name to link to (DT_SONAME): a static PIE has none. */
static bool is_dynamic_linker(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    if (header->e_type != ET_DYN || !find_segment(fd, header, PT_DYNAMIC, &segment))
        return false;
    ElfW(Dyn) entry = {.d_tag = DT_DEBUG};
    for (unsigned i = 0; entry.d_tag != DT_NULL && entry.d_tag != DT_SONAME; i++)
        entry = dynamic_entry(fd, &segment, i);
    return entry.d_tag == DT_SONAME;
}

static bool is_dynamic(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    return find_segment(fd, header, PT_INTERP, &segment) || is_dynamic_linker(fd, header);
}

void elf_interpreter(int fd, char *path, size_t size)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    *path = '\0';
    if (!read_at(fd, &header, sizeof header, 0) || !is_our_kind(&header) ||
        !find_segment(fd, &header, PT_INTERP, &segment))
        return;
    ssize_t len = kernel_pread(fd, path, segment.p_filesz < size ? segment.p_filesz : size - 1,
                               (off_t)segment.p_offset);
    path[len > 0 ? len : 0] = '\0';
}

/* Where in the file an address of the program lies; 0 when it is not in it. */
static uint64_t offset_of(int fd, const ElfW(Ehdr) * header, ElfW(Addr) address)
{
    ElfW(Phdr) segment;
    for (unsigned i = 0; i < header->e_phnum && i < MOST_SEGMENTS; i++)
        if (read_at(fd, &segment, sizeof segment, header->e_phoff + (ElfW(Off))i * header->e_phentsize) &&
            segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz)
            return address - segment.p_vaddr + segment.p_offset;
    return 0;
}

bool elf_needs(int fd, const char *prefix, char *needed, size_t size)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) dynamic;
    ElfW(Dyn) entry;
    uint64_t strings = 0;
    if (!read_at(fd, &header, sizeof header, 0) || !is_our_kind(&header) ||
        !find_segment(fd, &header, PT_DYNAMIC, &dynamic))
        return false;
    for (unsigned i = 0; (entry = dynamic_entry(fd, &dynamic, i)).d_tag != DT_NULL; i++)
        if (entry.d_tag == DT_STRTAB)
            strings = offset_of(fd, &header, entry.d_un.d_ptr);
    for (unsigned i = 0; strings != 0 && (entry = dynamic_entry(fd, &dynamic, i)).d_tag != DT_NULL; i++) {
        if (entry.d_tag != DT_NEEDED)
            continue;
        ssize_t len = kernel_pread(fd, needed, size - 1, (off_t)(strings + entry.d_un.d_val));
        needed[len > 0 ? len : 0] = '\0';
        if (strncmp(needed, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/* Go's linker makes a section for its build id or build information, also in dynamic programs. */
static bool is_go(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Shdr) names, section;
    uint64_t table = header->e_shoff;
    if (header->e_shentsize != sizeof section ||
        !read_at(fd, &names, sizeof names, table + header->e_shstrndx * sizeof names))
        return false;
    for (unsigned i = 0; i < header->e_shnum && i < MOST_SECTIONS; i++) {
        char name[20] = "";
        if (!read_at(fd, &section, sizeof section, table + i * sizeof section) ||
            kernel_pread(fd, name, sizeof name - 1, (off_t)(names.sh_offset + section.sh_name)) <= 0)
            return false;
        if (strcmp(name, ".note.go.buildid") == 0 || strcmp(name, ".go.buildinfo") == 0)
            return true;
    }
    return false;
}

/* The size of a part of a note, padded to words of 4 bytes, as it is in either class. */
static uint64_t words(uint32_t bytes)
{
    return ((uint64_t)bytes + 3) / 4 * 4;
}

static bool has_our_note(int fd, uint64_t at, uint64_t size)
{
    static const char ours[] = ELF_NOTE_NAME;
    uint64_t end = at + size;
    Elf64_Nhdr note;
    char name[sizeof ours];
    for (unsigned i = 0; i < MOST_NOTES && at < end && read_at(fd, &note, sizeof note, at); i++) {
        at += sizeof note;
        if (note.n_namesz == sizeof ours && read_at(fd, name, sizeof name, at) &&
            memcmp(name, ours, sizeof ours) == 0)
            return true;
        at += words(note.n_namesz) + words(note.n_descsz);
    }
    return false;
}

static bool is_portshim_32(int fd)
{
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    bool good = read_at(fd, &header, sizeof header, 0), found = false;
    for (unsigned i = 0; good && !found && i < header.e_phnum && i < MOST_SEGMENTS; i++) {
        good = read_at(fd, &segment, sizeof segment, header.e_phoff + (uint64_t)i * header.e_phentsize);
        found = good && segment.p_type == PT_NOTE && has_our_note(fd, segment.p_offset, segment.p_filesz);
    }
    return found;
}

static bool is_portshim_64(int fd)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool good = read_at(fd, &header, sizeof header, 0), found = false;
    for (unsigned i = 0; good && !found && i < header.e_phnum && i < MOST_SEGMENTS; i++) {
        good = read_at(fd, &segment, sizeof segment, header.e_phoff + (uint64_t)i * header.e_phentsize);
        found = good && segment.p_type == PT_NOTE && has_our_note(fd, segment.p_offset, segment.p_filesz);
    }
    return found;
}

/* From "#! /bin/sh -e", copies "/bin/sh". */
static void script_interpreter(const char *head, char *path, size_t size)
{
    if (strncmp(head, "#!", 2) != 0)
        return;
    head += 2 + strspn(head + 2, " \t");
    struct text t = text_in(path, size);
    text_bytes(&t, head, strcspn(head, " \t\n"));
}

static enum program_kind judge_ours(int fd, const ElfW(Ehdr) * header)
{
    if (is_go(fd, header))
        return PROGRAM_GO;
    return is_dynamic(fd, header) ? PROGRAM_DYNAMIC : PROGRAM_STATIC;
}

enum program_kind elf_judge(int fd, char *interpreter, size_t size)
{
    union {
        ElfW(Ehdr) header;
        char text[SCRIPT_HEAD + 1];
    } head = {.text = ""};
    ssize_t len = kernel_pread(fd, head.text, SCRIPT_HEAD, 0);
    *interpreter = '\0';
    if (len < (ssize_t)sizeof head.header || memcmp(head.text, ELFMAG, SELFMAG) != 0) {
        script_interpreter(head.text, interpreter, size);
        return PROGRAM_UNKNOWN;
    }
    enum program_kind kind = is_our_kind(&head.header) ? judge_ours(fd, &head.header) : PROGRAM_WRONG_CLASS;
    bool may_be_portshim = kind == PROGRAM_STATIC || kind == PROGRAM_WRONG_CLASS;
    if (!may_be_portshim)
        return kind;
    bool is = head.header.e_ident[EI_CLASS] == ELFCLASS64 ? is_portshim_64(fd) : is_portshim_32(fd);
    return is ? PROGRAM_PORTSHIM : kind;
}

bool elf_is_our_library(int fd)
{
    ElfW(Ehdr) header;
    return read_at(fd, &header, sizeof header, 0) && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_type == ET_DYN && is_our_kind(&header);
}
