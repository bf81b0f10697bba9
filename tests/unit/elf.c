/* What an ELF file says of itself: program/elf.h. The files are this program, altered. */
#include "unit.h"

#include "program/elf.h"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { SPARE = 4096 }; /* room at the end, for what is added */

struct image {
    char *bytes;
    size_t size; /* of the program */
    int fd;      /* a file with these bytes, and the spare ones */
};

static struct image load(void)
{
    struct stat st;
    struct image image;
    int self = open("/proc/self/exe", O_RDONLY);
    check(self >= 0 && fstat(self, &st) == 0, "this program");
    image.size = (size_t)st.st_size;
    image.fd = memfd_create("program", 0);
    check(ftruncate(image.fd, st.st_size + SPARE) == 0, "a copy");
    image.bytes = mmap(NULL, image.size + SPARE, PROT_READ | PROT_WRITE, MAP_SHARED, image.fd, 0);
    check(image.bytes != MAP_FAILED && read(self, image.bytes, image.size) == st.st_size, "a copy");
    close(self);
    return image;
}

static ElfW(Ehdr) * header_of(const struct image *image)
{
    return (ElfW(Ehdr) *)(void *)image->bytes;
}

static ElfW(Phdr) * segment_of(const struct image *image, ElfW(Word) type)
{
    ElfW(Phdr) *segment = (ElfW(Phdr) *)(void *)(image->bytes + header_of(image)->e_phoff);
    for (unsigned i = 0; i < header_of(image)->e_phnum; i++)
        if (segment[i].p_type == type)
            return &segment[i];
    fail("no segment of type %u", (unsigned)type);
}

static enum program_kind judge(const struct image *image)
{
    char interpreter[256] = "x";
    enum program_kind kind = elf_judge(image->fd, interpreter, sizeof interpreter);
    equal_text(interpreter, "");
    return kind;
}

/* A segment that is a note with this name and content at the end of the file. */
static void make_note(const struct image *image, ElfW(Phdr) * segment, const char *name, unsigned content)
{
    ElfW(Nhdr) note = {.n_namesz = (ElfW(Word))strlen(name) + 1, .n_descsz = content};
    char *at = image->bytes + image->size;
    size_t size = sizeof note + (note.n_namesz + 3) / 4 * 4;
    memcpy(at, &note, sizeof note);
    strcpy(at + sizeof note, name);
    *segment =
        (ElfW(Phdr)){.p_type = PT_NOTE, .p_offset = image->size, .p_filesz = size + (content + 3) / 4 * 4};
}

TEST("a program with an interpreter is dynamic, and names it and its libraries")
{
    struct image image = load();
    char interpreter[256], needed[256];
    equal(judge(&image), PROGRAM_DYNAMIC);
    elf_interpreter(image.fd, interpreter, sizeof interpreter);
    equal_text(interpreter, image.bytes + segment_of(&image, PT_INTERP)->p_offset);
    equal(elf_needs(image.fd, "libc.", needed, sizeof needed), true);
    check(strncmp(needed, "libc.", 5) == 0 && strlen(needed) < 12, "%s", needed);
    equal(elf_needs(image.fd, "libnone.", needed, sizeof needed), false);
}

TEST("without an interpreter it is static, unless others may be linked to it: that is a dynamic linker")
{
    struct image image = load();
    segment_of(&image, PT_INTERP)->p_type = PT_NULL;
    equal(judge(&image), PROGRAM_STATIC);
    ElfW(Dyn) *entry = (ElfW(Dyn) *)(void *)(image.bytes + segment_of(&image, PT_DYNAMIC)->p_offset);
    while (entry->d_tag != DT_NEEDED)
        entry++;
    ElfW(Dyn) *strings = (ElfW(Dyn) *)(void *)(image.bytes + segment_of(&image, PT_DYNAMIC)->p_offset);
    while (strings->d_tag != DT_STRTAB)
        strings++;
    entry->d_tag = DT_SONAME; /* the first segment lies in the file as in memory */
    char *name = image.bytes + strings->d_un.d_ptr + entry->d_un.d_val;
    strcpy(name, "ld64.so");
    header_of(&image)->e_type = ET_DYN;
    equal(judge(&image), PROGRAM_DYNAMIC);
    strcpy(name, "libc.mu"); /* as Alpine's musl is named, which is a libc and its dynamic linker */
    equal(judge(&image), PROGRAM_OTHER_LIBC);
    header_of(&image)->e_type = ET_EXEC;
    equal(judge(&image), PROGRAM_STATIC);
}

TEST("a dynamic linker without a name, as Debian's musl is, is none of glibc")
{
    struct image image = load();
    segment_of(&image, PT_INTERP)->p_type = PT_NULL;
    ElfW(Dyn) *entry = (ElfW(Dyn) *)(void *)(image.bytes + segment_of(&image, PT_DYNAMIC)->p_offset);
    while (entry->d_tag != DT_FLAGS_1)
        entry++;
    check((entry->d_un.d_val & DF_1_PIE) != 0, "this program is not marked as position independent");
    equal(judge(&image), PROGRAM_STATIC);
    entry->d_un.d_val &= ~(ElfW(Xword))DF_1_PIE;
    equal(judge(&image), PROGRAM_OTHER_LIBC);
}

TEST("a program whose interpreter is not glibc's is of another libc, wherever the interpreter lies")
{
    static const struct {
        const char *path;
        enum program_kind kind;
    } interpreters[] = {
        {"/lib64/ld-linux-x86-64.so.2", PROGRAM_DYNAMIC},
        {"/lib/ld-linux.so.2", PROGRAM_DYNAMIC},
        {"/lib/ld-linux-aarch64.so.1", PROGRAM_DYNAMIC},
        {"/lib/ld64.so.1", PROGRAM_DYNAMIC},
        {"/lib64/ld64.so.2", PROGRAM_DYNAMIC},
        {"/lib/ld.so.1", PROGRAM_DYNAMIC},
        {"/lib64/ld-lsb-x86-64.so.3", PROGRAM_DYNAMIC},
        {"/opt/ld-2.31.so", PROGRAM_DYNAMIC},
        {"ld-linux.so.2", PROGRAM_DYNAMIC},
        {"/nix/store/1b9p07z77phvv2hf6gm9f28syp39f1ag-glibc-2.40-36/lib/ld-linux-x86-64.so.2", PROGRAM_DYNAMIC},
        {"/lib/ld-musl-x86_64.so.1", PROGRAM_OTHER_LIBC},
        {"/nix/store/1b9p07z77phvv2hf6gm9f28syp39f1ag-musl-1.2.5/lib/ld-musl-x86_64.so.1", PROGRAM_OTHER_LIBC},
        {"/ld-linux/ld-musl-i386.so.1", PROGRAM_OTHER_LIBC},
        {"/lib/ld64-uClibc.so.0", PROGRAM_OTHER_LIBC},
        {"/lib/ld-uClibc.so.0", PROGRAM_OTHER_LIBC},
        {"/system/bin/linker64", PROGRAM_OTHER_LIBC},
        {"/libexec/ld-elf.so.1", PROGRAM_OTHER_LIBC},
        {"", PROGRAM_OTHER_LIBC},
    };
    struct image image = load();
    ElfW(Phdr) *segment = segment_of(&image, PT_INTERP);
    segment->p_offset = image.size;
    for (unsigned i = 0; i < sizeof interpreters / sizeof *interpreters; i++) {
        strcpy(image.bytes + image.size, interpreters[i].path);
        segment->p_filesz = strlen(interpreters[i].path) + 1;
        enum program_kind kind = judge(&image);
        check(kind == interpreters[i].kind, "%s: %u", interpreters[i].path, kind);
    }
}

TEST("another class or machine is of the wrong class")
{
    struct image image = load();
    strcpy(image.bytes + segment_of(&image, PT_INTERP)->p_offset, "/lib/ld-musl.so");
    header_of(&image)->e_machine ^= 1;
    equal(judge(&image), PROGRAM_WRONG_CLASS);
    equal(elf_is_our_library(image.fd), false);
    header_of(&image)->e_machine ^= 1;
    header_of(&image)->e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    equal(judge(&image), PROGRAM_WRONG_CLASS);
    equal(elf_is_our_library(image.fd), false);
}

TEST("a program is for this machine whatever its width, and for no other")
{
    struct image image = load();
    ElfW(Half) machine = header_of(&image)->e_machine;
    equal(judge(&image), PROGRAM_DYNAMIC);
    equal(elf_is_for_this_machine(image.fd), true);
    header_of(&image)->e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    equal(judge(&image), PROGRAM_WRONG_CLASS);
    equal(elf_is_for_this_machine(image.fd), true);
    header_of(&image)->e_machine = machine == EM_X86_64 ? EM_386 : machine == EM_386 ? EM_X86_64 : machine;
    equal(judge(&image), PROGRAM_WRONG_CLASS);
    equal(elf_is_for_this_machine(image.fd), true);
    header_of(&image)->e_machine = EM_VAX;
    equal(judge(&image), PROGRAM_WRONG_CLASS);
    equal(elf_is_for_this_machine(image.fd), false);
    header_of(&image)->e_machine = machine;
    header_of(&image)->e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    judge(&image);
    equal(elf_is_for_this_machine(image.fd), false);
}

TEST("what the linker of Go has marked is a Go program, dynamic or not")
{
    static const char ours[] = ".eh_frame_hdr"; /* any section: the names after it may be overwritten */
    struct image image = load();
    char *name = image.bytes + image.size - sizeof ours; /* the names of sections come last */
    while (name > image.bytes && memcmp(name, ours, sizeof ours) != 0)
        name--;
    check(name > image.bytes, "no section %s", ours);
    strcpy(name, ".note.go.buildid");
    equal(judge(&image), PROGRAM_GO);
    strcpy(image.bytes + segment_of(&image, PT_INTERP)->p_offset, "/lib/ld-musl.so"); /* shorter than any */
    equal(judge(&image), PROGRAM_OTHER_LIBC);
    segment_of(&image, PT_INTERP)->p_type = PT_NULL;
    equal(judge(&image), PROGRAM_GO);
    strcpy(name, ".go.buildinfo");
    equal(judge(&image), PROGRAM_GO);
    strcpy(name, ".go.buildinfo2");
    equal(judge(&image), PROGRAM_STATIC);
}

TEST("the build id that the linker of Go notes tells a Go program that has no names of sections")
{
    struct image image = load();
    header_of(&image)->e_shoff = 0;
    header_of(&image)->e_shnum = header_of(&image)->e_shstrndx = 0;
    equal(judge(&image), PROGRAM_DYNAMIC);
    make_note(&image, segment_of(&image, PT_GNU_STACK), "Go", 83);
    equal(judge(&image), PROGRAM_DYNAMIC);
    ((ElfW(Nhdr) *)(void *)(image.bytes + image.size))->n_namesz = 4; /* it is padded with a zero */
    equal(judge(&image), PROGRAM_GO);
    segment_of(&image, PT_INTERP)->p_type = PT_NULL;
    equal(judge(&image), PROGRAM_GO);
}

TEST("names of sections are found where they are long, many, or far from the table")
{
    for (unsigned round = 0; round < 60; round++) {
        struct image image = load();
        unsigned size = 100 + below(15000), at = below(size - 32);
        check(ftruncate(image.fd, (off_t)image.size + SPARE + 60000) == 0, "room");
        char *bytes = mmap(NULL, image.size + SPARE + 60000, PROT_READ | PROT_WRITE, MAP_SHARED, image.fd, 0);
        size_t names = image.size + below(8000), table = image.size + 24000 + 8 * below(500);
        ElfW(Shdr) last = {.sh_offset = names, .sh_size = size};
        ElfW(Ehdr) *header = (ElfW(Ehdr) *)(void *)bytes;
        header->e_shoff = table;
        header->e_shnum = (ElfW(Half))(1 + below(400));
        header->e_shstrndx = (ElfW(Half))(header->e_shnum - 1);
        memcpy(bytes + table + header->e_shstrndx * sizeof last, &last, sizeof last);
        memset(bytes + names, 'x', size);
        equal(judge(&image), PROGRAM_DYNAMIC);
        strcpy(bytes + names + at, below(2) == 0 ? ".note.go.buildid" : ".go.buildinfo");
        equal(judge(&image), PROGRAM_GO);
        munmap(bytes, image.size + SPARE + 60000);
        munmap(image.bytes, image.size + SPARE);
        close(image.fd);
    }
}

TEST("the note of portshim tells the command from other static programs")
{
    struct image image = load();
    ElfW(Phdr) *segment = segment_of(&image, PT_INTERP);
    for (unsigned content = 0; content < 40; content += 1 + below(7)) {
        make_note(&image, segment, ELF_NOTE_NAME, content);
        equal(judge(&image), PROGRAM_PORTSHIM);
    }
    make_note(&image, segment, "portshin", 0);
    equal(judge(&image), PROGRAM_STATIC);
    make_note(&image, segment, ELF_NOTE_NAME "s", 0);
    equal(judge(&image), PROGRAM_STATIC);
    make_note(&image, segment_of(&image, PT_GNU_STACK), ELF_NOTE_NAME, 0);
    equal(judge(&image), PROGRAM_PORTSHIM);
}

TEST("a dynamic program with the note is a dynamic program")
{
    struct image image = load();
    make_note(&image, segment_of(&image, PT_GNU_STACK), ELF_NOTE_NAME, 0);
    equal(judge(&image), PROGRAM_DYNAMIC);
}

TEST("a shared library is one of our class, with its ELF magic")
{
    struct image image = load();
    header_of(&image)->e_type = ET_DYN;
    equal(elf_is_our_library(image.fd), true);
    header_of(&image)->e_type = ET_EXEC;
    equal(elf_is_our_library(image.fd), false);
    header_of(&image)->e_type = ET_DYN;
    image.bytes[1] = 'e';
    equal(elf_is_our_library(image.fd), false);
    equal(judge(&image), PROGRAM_UNKNOWN);
}

TEST("a file that is cut or has random bytes in its headers is judged, and no buffer overrun")
{
    for (unsigned round = 0; round < 400; round++) {
        struct image image = load();
        size_t dynamic = segment_of(&image, PT_DYNAMIC)->p_offset;
        char small[9];
        memset(small, '#', sizeof small);
        for (unsigned i = 1 + below(20); i > 0; i--)
            image.bytes[below(2) == 0 ? below(1024) : dynamic + below(512)] = (char)random();
        if (below(3) == 0)
            check(ftruncate(image.fd, below((unsigned)image.size)) == 0, "cut");
        enum program_kind kind = elf_judge(image.fd, small, 8);
        check(kind <= PROGRAM_PORTSHIM, "%u", kind);
        equal(small[8], '#');
        elf_interpreter(image.fd, small, 8);
        equal(small[8], '#');
        elf_needs(image.fd, "lib", small, 8);
        equal(small[8], '#');
        elf_is_our_library(image.fd);
        munmap(image.bytes, image.size + SPARE);
        close(image.fd);
    }
}

TEST("a script names its interpreter, as far as it stands in the first 256 bytes")
{
    for (unsigned round = 0; round < 3000; round++) {
        static const char *const blanks[] = {"", " ", "\t", "  \t "}, *const ends[] = {"\n", " -e\n",
                                                                                       "\t-x\n", ""};
        char text[1024], path[400] = "/", interpreter[300];
        size_t len = below(10) == 0 ? below(390) : 1 + below(30);
        for (size_t i = 1; i < len; i++)
            path[i] = (char)('a' + below(26));
        path[len > 0 ? len : 1] = '\0';
        snprintf(text, sizeof text, "#!%s%s%s", blanks[below(4)], path, ends[below(4)]);
        int fd = memfd_create("script", 0);
        check(write(fd, text, strlen(text)) > 0 &&
                  write(fd, "exit 0\n: a line that is longer than an ELF header is\n", 53) > 0,
              "a script");
        equal(elf_judge(fd, interpreter, sizeof interpreter), PROGRAM_UNKNOWN);
        size_t before = strspn(text + 2, " \t") + 2, room = 256 - before;
        char expected[512];
        snprintf(expected, sizeof expected, "%s%s", path,
                 strpbrk(text + before, " \t\n") != NULL ? "" : "exit");
        if (strlen(expected) > room)
            expected[room] = '\0';
        equal_text(interpreter, expected);
        close(fd);
    }
}
