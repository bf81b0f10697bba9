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
    WINDOW = 4096,
    /* Limits on what is read, whatever the file claims to have: this runs inside of an exec. */
    MOST_SEGMENTS = 65536 / sizeof(ElfW(Phdr)), /* the kernel starts nothing with more (load_elf_phdrs) */
    MOST_NAMES = 16384,                         /* bytes of the names of sections */
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

/*
 * An open file, seen through a window. The first page of a program has its header, its segments, its
 * interpreter and its notes; its last has the names of its sections: two reads judge most programs.
 */
struct elf {
    int fd;
    uint64_t at;
    size_t size; /* of what was read at `at` */
    char bytes[WINDOW];
};

static void move_window(struct elf *elf, uint64_t at)
{
    ssize_t got = kernel_pread(elf->fd, elf->bytes, sizeof elf->bytes, (off_t)at);
    elf->at = at;
    elf->size = got > 0 ? (size_t)got : 0;
}

static bool is_in_window(const struct elf *elf, size_t size, uint64_t at)
{
    return at >= elf->at && at - elf->at <= elf->size && size <= elf->size - (at - elf->at);
}

/* Copies up to `size` bytes, a window full at most; fewer where the file ends. Returns how many. */
static size_t read_some(struct elf *elf, void *to, size_t size, uint64_t at)
{
    if (!is_in_window(elf, size, at))
        move_window(elf, at);
    size_t left = elf->size - (size_t)(at - elf->at), count = size < left ? size : left;
    memcpy(to, elf->bytes + (at - elf->at), count);
    return count;
}

static bool read_at(struct elf *elf, void *to, size_t size, uint64_t at)
{
    return read_some(elf, to, size, at) == size;
}

/* Begins with the file's header. */
static bool open_elf(struct elf *elf, int fd, ElfW(Ehdr) * header)
{
    elf->fd = fd;
    move_window(elf, 0);
    return read_at(elf, header, sizeof *header, 0);
}

static bool find_segment(struct elf *elf, const ElfW(Ehdr) * header, ElfW(Word) type, ElfW(Phdr) * segment)
{
    for (unsigned i = 0; i < header->e_phnum && i < MOST_SEGMENTS; i++)
        if (read_at(elf, segment, sizeof *segment, header->e_phoff + (ElfW(Off))i * header->e_phentsize) &&
            segment->p_type == type)
            return true;
    return false;
}

/* The n-th entry of the dynamic section; DT_NULL past its end. */
static ElfW(Dyn) dynamic_entry(struct elf *elf, const ElfW(Phdr) * segment, unsigned n)
{
    ElfW(Dyn) entry;
    ElfW(Off) at = n * (ElfW(Off))sizeof entry;
    if (n >= MOST_DYNAMIC || at + sizeof entry > segment->p_filesz ||
        !read_at(elf, &entry, sizeof entry, segment->p_offset + at))
        entry.d_tag = DT_NULL;
    return entry;
}

void elf_interpreter(int fd, char *path, size_t size)
{
    struct elf elf;
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    *path = '\0';
    if (!open_elf(&elf, fd, &header) || !is_our_kind(&header) ||
        !find_segment(&elf, &header, PT_INTERP, &segment))
        return;
    size_t room = segment.p_filesz < size ? (size_t)segment.p_filesz : size - 1;
    path[read_some(&elf, path, room, segment.p_offset)] = '\0';
}

/* Where in the file an address of the program lies; 0 when it is not in it. */
static uint64_t offset_of(struct elf *elf, const ElfW(Ehdr) * header, ElfW(Addr) address)
{
    ElfW(Phdr) segment;
    for (unsigned i = 0; i < header->e_phnum && i < MOST_SEGMENTS; i++)
        if (read_at(elf, &segment, sizeof segment, header->e_phoff + (ElfW(Off))i * header->e_phentsize) &&
            segment.p_type == PT_LOAD && address - segment.p_vaddr < segment.p_filesz)
            return address - segment.p_vaddr + segment.p_offset;
    return 0;
}

/* Whether a path is that of glibc's ld.so, wherever it lies. Its names on all machines: ld-linux.so.2,
 * ld-linux-x86-64.so.2, ld64.so.1, ld.so.1, ld-lsb.so.3; before glibc 2.34 these led to ld-2.31.so. */
static bool is_of_glibc(const char *path)
{
    static const char *const names[] = {"ld-linux", "ld64.so", "ld.so", "ld-lsb", "ld-2."};
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static enum program_kind judge_interpreter(struct elf *elf, const ElfW(Phdr) * segment)
{
    char end[48]; /* of its path: only the last name counts */
    uint64_t size = segment->p_filesz < sizeof end - 1 ? segment->p_filesz : sizeof end - 1;
    end[read_some(elf, end, (size_t)size, segment->p_offset + segment->p_filesz - size)] = '\0';
    return is_of_glibc(end) ? PROGRAM_DYNAMIC : PROGRAM_OTHER_LIBC;
}

/* What a file without an interpreter is: a static program, or a dynamic linker, which preloads for the
 * program that it is told to load. A static program that can be loaded at any address is marked as such
 * (DF_1_PIE) and has no name to link to (DT_SONAME), which glibc's ld.so has. */
static enum program_kind judge_without_interpreter(struct elf *elf, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    ElfW(Dyn) entry;
    uint64_t strings = 0, flags = 0, name = 0;
    bool has_name = false;
    char linker[16];
    if (header->e_type != ET_DYN || !find_segment(elf, header, PT_DYNAMIC, &segment))
        return PROGRAM_STATIC;
    for (unsigned i = 0; (entry = dynamic_entry(elf, &segment, i)).d_tag != DT_NULL; i++)
        switch (entry.d_tag) {
        case DT_STRTAB:
            strings = entry.d_un.d_ptr;
            break;
        case DT_SONAME:
            has_name = true;
            name = entry.d_un.d_val;
            break;
        case DT_FLAGS_1:
            flags = entry.d_un.d_val;
            break;
        }
    if (!has_name)
        return (flags & DF_1_PIE) != 0 ? PROGRAM_STATIC : PROGRAM_OTHER_LIBC;
    name += offset_of(elf, header, (ElfW(Addr))strings);
    linker[read_some(elf, linker, sizeof linker - 1, name)] = '\0';
    return is_of_glibc(linker) ? PROGRAM_DYNAMIC : PROGRAM_OTHER_LIBC;
}

bool elf_needs(int fd, const char *prefix, char *needed, size_t size)
{
    struct elf elf;
    ElfW(Ehdr) header;
    ElfW(Phdr) dynamic;
    ElfW(Dyn) entry;
    uint64_t strings = 0;
    if (!open_elf(&elf, fd, &header) || !is_our_kind(&header) ||
        !find_segment(&elf, &header, PT_DYNAMIC, &dynamic))
        return false;
    for (unsigned i = 0; (entry = dynamic_entry(&elf, &dynamic, i)).d_tag != DT_NULL; i++)
        if (entry.d_tag == DT_STRTAB)
            strings = offset_of(&elf, &header, entry.d_un.d_ptr);
    for (unsigned i = 0; strings != 0 && (entry = dynamic_entry(&elf, &dynamic, i)).d_tag != DT_NULL; i++) {
        if (entry.d_tag != DT_NEEDED)
            continue;
        needed[read_some(&elf, needed, size - 1, strings + entry.d_un.d_val)] = '\0';
        if (strncmp(needed, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/* The size of a part of a note, padded to words of 4 bytes, as it is in either class. */
static uint64_t words(uint32_t bytes)
{
    return ((uint64_t)bytes + 3) / 4 * 4;
}

/* A note's name, with its terminator and what else its size counts. */
struct note_name {
    char text[12];
    uint32_t size;
};

static const struct note_name our_note = {ELF_NOTE_NAME, sizeof ELF_NOTE_NAME},
                              go_note = {"Go\0", 4}; /* its linker's build id */

static bool segment_has_note(struct elf *elf, uint64_t at, uint64_t size, const struct note_name *wanted)
{
    uint64_t end = at + size;
    Elf64_Nhdr note; /* as in the other class */
    char name[sizeof wanted->text];
    for (unsigned i = 0; i < MOST_NOTES && at < end && read_at(elf, &note, sizeof note, at); i++) {
        at += sizeof note;
        if (note.n_namesz == wanted->size && read_at(elf, name, wanted->size, at) &&
            memcmp(name, wanted->text, wanted->size) == 0)
            return true;
        at += words(note.n_namesz) + words(note.n_descsz);
    }
    return false;
}

static bool has_note_32(struct elf *elf, const struct note_name *wanted)
{
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    bool good = read_at(elf, &header, sizeof header, 0), found = false;
    for (unsigned i = 0; good && !found && i < header.e_phnum && i < MOST_SEGMENTS; i++) {
        good = read_at(elf, &segment, sizeof segment, header.e_phoff + (uint64_t)i * header.e_phentsize);
        found = good && segment.p_type == PT_NOTE &&
                segment_has_note(elf, segment.p_offset, segment.p_filesz, wanted);
    }
    return found;
}

static bool has_note_64(struct elf *elf, const struct note_name *wanted)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool good = read_at(elf, &header, sizeof header, 0), found = false;
    for (unsigned i = 0; good && !found && i < header.e_phnum && i < MOST_SEGMENTS; i++) {
        good = read_at(elf, &segment, sizeof segment, header.e_phoff + (uint64_t)i * header.e_phentsize);
        found = good && segment.p_type == PT_NOTE &&
                segment_has_note(elf, segment.p_offset, segment.p_filesz, wanted);
    }
    return found;
}

static bool has_note(struct elf *elf, unsigned char class, const struct note_name *wanted)
{
    return class == ELFCLASS64 ? has_note_64(elf, wanted) : has_note_32(elf, wanted);
}

/* Whether a section has a name that ends like this. The names are strings in a section of their own. */
static bool names_have(struct elf *elf, const ElfW(Shdr) * names, const char *end)
{
    size_t size = strlen(end) + 1, left = names->sh_size < MOST_NAMES ? (size_t)names->sh_size : MOST_NAMES;
    uint64_t at = names->sh_offset;
    while (left >= size) {
        size_t part = left < WINDOW ? left : WINDOW;
        if (!is_in_window(elf, part, at))
            move_window(elf, at);
        if (!is_in_window(elf, part, at))
            return false;
        if (memmem(elf->bytes + (at - elf->at), part, end, size) != NULL)
            return true;
        at += part - (size - 1);
        left -= part - (size - 1);
    }
    return false;
}

/* Whether the program has a section that the linker of Go makes. */
static bool has_go_section(struct elf *elf, const ElfW(Ehdr) * header)
{
    ElfW(Shdr) names;
    uint64_t table = header->e_shoff, size = (uint64_t)header->e_shnum * sizeof names;
    if (header->e_shentsize != sizeof names || header->e_shstrndx >= header->e_shnum)
        return false;
    if (!is_in_window(elf, (size_t)size, table) && table + size > WINDOW)
        move_window(elf, table + size - WINDOW); /* the names are usually right before the table */
    return read_at(elf, &names, sizeof names, table + header->e_shstrndx * sizeof names) &&
           (names_have(elf, &names, ".note.go.buildid") || names_have(elf, &names, ".go.buildinfo"));
}

/* The linker of Go notes a build id, unless it is told not to, and makes a section of build information, also
 * in dynamic programs. */
static bool is_go(struct elf *elf, const ElfW(Ehdr) * header)
{
    return has_note(elf, header->e_ident[EI_CLASS], &go_note) || has_go_section(elf, header);
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

static enum program_kind judge_ours(struct elf *elf, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segment;
    /* First, as it is on the first page. */
    bool has_interpreter = find_segment(elf, header, PT_INTERP, &segment);
    enum program_kind kind =
        has_interpreter ? judge_interpreter(elf, &segment) : judge_without_interpreter(elf, header);
    if (has_interpreter && kind == PROGRAM_OTHER_LIBC)
        return kind; /* a Go program, too, ends when its libc cannot load our library */
    return is_go(elf, header) ? PROGRAM_GO : kind;
}

enum program_kind elf_judge(int fd, char *interpreter, size_t size)
{
    struct elf elf;
    ElfW(Ehdr) header;
    *interpreter = '\0';
    if (!open_elf(&elf, fd, &header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        elf.bytes[elf.size < SCRIPT_HEAD ? elf.size : SCRIPT_HEAD] = '\0';
        script_interpreter(elf.bytes, interpreter, size);
        return PROGRAM_UNKNOWN;
    }
    enum program_kind kind = is_our_kind(&header) ? judge_ours(&elf, &header) : PROGRAM_WRONG_CLASS;
    bool may_be_portshim = kind == PROGRAM_STATIC || kind == PROGRAM_WRONG_CLASS;
    return may_be_portshim && has_note(&elf, header.e_ident[EI_CLASS], &our_note) ? PROGRAM_PORTSHIM : kind;
}

/* One number for the machines that one kernel may run programs of. */
static ElfW(Half) machine_of(ElfW(Half) machine)
{
    static const ElfW(Half)
        wide[][2] = {{EM_386, EM_X86_64}, {EM_ARM, EM_AARCH64}, {EM_PPC, EM_PPC64}, {EM_SPARC, EM_SPARCV9}};
    for (unsigned i = 0; i < sizeof wide / sizeof *wide; i++)
        if (machine == wide[i][0])
            return wide[i][1];
    return machine;
}

bool elf_is_for_this_machine(int fd)
{
    ElfW(Ehdr) header; /* as far as e_machine it is the same in both classes */
    return kernel_pread(fd, &header, sizeof header, 0) == sizeof header &&
           memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
           header.e_ident[EI_DATA] == __ehdr_start.e_ident[EI_DATA] &&
           machine_of(header.e_machine) == machine_of(__ehdr_start.e_machine);
}

bool elf_is_our_library(int fd)
{
    ElfW(Ehdr) header;
    return kernel_pread(fd, &header, sizeof header, 0) == sizeof header &&
           memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN && is_our_kind(&header);
}
