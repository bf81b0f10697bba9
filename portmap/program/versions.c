#include "program/versions.h"

#include "program/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file mapped into memory, and where the tables are that its dynamic section names. */
struct image {
    const char *bytes;
    size_t size;
    size_t strings, needs, definitions; /* offsets; 0 when it has none */
};

/* Copies the bytes at an offset, which may be odd; false when the file ends before them, whatever it says of
 * its own size. */
static bool read_at(const struct image *image, size_t offset, void *to, size_t size)
{
    if (offset == 0 || offset >= image->size || size > image->size - offset)
        return false;
    memcpy(to, image->bytes + offset, size);
    return true;
}

static const char *string_at(const struct image *image, size_t number)
{
    size_t offset = image->strings + number;
    bool is_string = offset > 0 && offset < image->size &&
                     memchr(image->bytes + offset, '\0', image->size - offset) != NULL;
    return is_string ? image->bytes + offset : "";
}

static bool read_segment(const struct image *image, unsigned n, ElfW(Phdr) * segment)
{
    const ElfW(Ehdr) *header = (const void *)image->bytes;
    return n < header->e_phnum &&
           read_at(image, header->e_phoff + n * sizeof *segment, segment, sizeof *segment);
}

static size_t offset_of(const struct image *image, ElfW(Addr) address)
{
    ElfW(Phdr) s;
    for (unsigned n = 0; read_segment(image, n, &s); n++)
        if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
            return address - s.p_vaddr + s.p_offset;
    return 0;
}

static void read_dynamic(struct image *image)
{
    ElfW(Phdr) s;
    ElfW(Dyn) entry;
    for (unsigned n = 0; read_segment(image, n, &s); n++) {
        if (s.p_type != PT_DYNAMIC)
            continue;
        for (size_t offset = s.p_offset;
             read_at(image, offset, &entry, sizeof entry) && entry.d_tag != DT_NULL; offset += sizeof entry) {
            size_t *to = entry.d_tag == DT_STRTAB    ? &image->strings
                         : entry.d_tag == DT_VERNEED ? &image->needs
                         : entry.d_tag == DT_VERDEF  ? &image->definitions
                                                     : NULL;
            if (to != NULL)
                *to = offset_of(image, entry.d_un.d_ptr);
        }
    }
}

static int map_image(struct image *image, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = fstat(fd, &st) < 0 ? -errno : 0;
    *image = (struct image){.size = error == 0 ? (size_t)st.st_size : 0};
    void *bytes = error == 0 ? mmap(NULL, image->size + 1, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (error == 0 && bytes == MAP_FAILED)
        error = -errno;
    bool is_ours = error == 0 && elf_is_our_library(fd);
    close(fd);
    if (error != 0)
        return error;
    image->bytes = bytes;
    if (is_ours)
        read_dynamic(image);
    return 0;
}

static void unmap_image(struct image *image)
{
    munmap((void *)(uintptr_t)image->bytes, image->size + 1);
}

static bool has(const struct image *image, const char *version)
{
    ElfW(Verdef) definition;
    ElfW(Verdaux) name;
    size_t offset = image->definitions;
    while (read_at(image, offset, &definition, sizeof definition)) {
        if (read_at(image, offset + definition.vd_aux, &name, sizeof name) &&
            strcmp(string_at(image, name.vda_name), version) == 0)
            return true;
        if (definition.vd_next == 0)
            break;
        offset += definition.vd_next;
    }
    return false;
}

/* Whether one of the needed libraries lacks a version that is needed of it. */
static bool lacks(const struct image *image, size_t offset, const ElfW(Verneed) * need,
                  struct versions_lack *lack)
{
    struct image other = {0};
    ElfW(Vernaux) version;
    lack->version[0] = '\0';
    if (map_image(&other, lack->file) != 0)
        return true;
    bool any = false;
    for (offset += need->vn_aux; read_at(image, offset, &version, sizeof version);
         offset += version.vna_next) {
        const char *name = string_at(image, version.vna_name);
        if (!has(&other, name) && (!any || strverscmp(name, lack->version) > 0)) {
            snprintf(lack->version, sizeof lack->version, "%s", name);
            any = true;
        }
        if (version.vna_next == 0)
            break;
    }
    unmap_image(&other);
    return any;
}

int versions_compare(const char *library, const char *directory, struct versions_lack *lack)
{
    struct image image = {0};
    ElfW(Verneed) need;
    int error = map_image(&image, library);
    if (error != 0)
        return error;
    int result = 0;
    for (size_t offset = image.needs; result == 0 && read_at(&image, offset, &need, sizeof need);
         offset += need.vn_next) {
        snprintf(lack->file, sizeof lack->file, "%s/%s", directory, string_at(&image, need.vn_file));
        result = lacks(&image, offset, &need, lack);
        if (need.vn_next == 0)
            break;
    }
    unmap_image(&image);
    return result;
}
