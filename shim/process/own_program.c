#include "process/own_program.h"

#include "process/loaded.h"
#include "program/elf.h"

#include <elf.h>
#include <string.h>

static bool is_readable(const ElfW(Phdr) * segment)
{
    return segment->p_type == PT_LOAD && (segment->p_flags & PF_R) != 0;
}

/* What a segment has in memory, cut to what a loadable segment maps; NULL when none does. */
static const char *in_memory(const struct headers *program, const ElfW(Phdr) * segment)
{
    for (size_t i = 0; i < program->count; i++) {
        const ElfW(Phdr) *whole = &program->first[i];
        uintptr_t at = segment->p_vaddr - whole->p_vaddr;
        if (is_readable(whole) && segment->p_vaddr >= whole->p_vaddr && at <= whole->p_filesz &&
            segment->p_filesz <= whole->p_filesz - at)
            return (const char *)(program->base + segment->p_vaddr);
    }
    return NULL;
}

/* Whether there is a note of this name, whose size counts the NUL at its end. */
static bool has_note(const char *at, size_t size, const char *name, size_t name_size)
{
    ElfW(Nhdr) note;
    while (size >= sizeof note + name_size) {
        memcpy(&note, at, sizeof note);
        if (note.n_namesz == name_size && memcmp(at + sizeof note, name, name_size) == 0)
            return true;
        size_t whole =
            sizeof note + ((size_t)note.n_namesz + 3) / 4 * 4 + ((size_t)note.n_descsz + 3) / 4 * 4;
        if (whole >= size)
            return false;
        at += whole;
        size -= whole;
    }
    return false;
}

/* Whether Go's build information lies at the beginning of the program's data, where Go itself looks for it
 * (debug/buildinfo). Programs that were linked without a build id have that. */
static bool has_go_data(const char *at, size_t size)
{
    static const char magic[] = "\xff Go buildinf:";
    enum { STEP = 16, MOST = 64 * 1024 };
    for (size_t i = 0; i < MOST && i + STEP <= size; i += STEP)
        if (memcmp(at + i, magic, sizeof magic - 1) == 0)
            return true;
    return false;
}

static bool is_of_go(const ElfW(Phdr) * segment, const char *at)
{
    static const char name[4] = "Go\0"; /* its linker's build id */
    if (segment->p_type == PT_NOTE)
        return has_note(at, segment->p_filesz, name, sizeof name);
    return (segment->p_flags & PF_W) != 0 && has_go_data(at, segment->p_filesz);
}

static bool is_of_portshim(const ElfW(Phdr) * segment, const char *at)
{
    return segment->p_type == PT_NOTE && has_note(at, segment->p_filesz, ELF_NOTE_NAME, sizeof ELF_NOTE_NAME);
}

/* Whether `knows` knows one of the program's notes and loadable segments. */
static bool any_segment(bool (*knows)(const ElfW(Phdr) *, const char *))
{
    struct headers program;
    if (!loaded_headers(&program))
        return false;
    for (size_t i = 0; i < program.count; i++) {
        const ElfW(Phdr) *segment = &program.first[i];
        bool may_be = segment->p_type == PT_NOTE || is_readable(segment);
        const char *at = may_be ? in_memory(&program, segment) : NULL;
        if (at != NULL && knows(segment, at))
            return true;
    }
    return false;
}

bool own_program_is_go(void)
{
    return any_segment(is_of_go);
}

bool own_program_has_note(void)
{
    return any_segment(is_of_portshim);
}
