#include "process/loaded.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>

/* The tables in which a symbol is looked up. The GNU hash table is a header of four words, a Bloom filter,
 * buckets, and a chain of hashes, in which the lowest bit marks the last hash of a bucket. */
struct tables {
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Half) * versions; /* NULL when the object has none */
    const uint32_t *gnu_hash, *hash;
    size_t soname; /* 0 when it has none */
};

enum { VERSION_IS_HIDDEN = 0x8000 };

/* Not strcmp(3): a sanitizer's runtime may interpose that, and be just asking us where libc's own is. */
static bool is_same(const char *a, const char *b)
{
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

/* ld.so has added the object's address to pointers in its dynamic section, but not in the kernel's vdso. */
static const void *address(const struct link_map *object, const ElfW(Dyn) * entry)
{
    ElfW(Addr) value = entry->d_un.d_ptr;
    return (const void *)(value < object->l_addr ? object->l_addr + value : value);
}

static void read_tables(const struct link_map *object, struct tables *tables)
{
    tables->symbols = NULL;
    tables->strings = NULL;
    tables->versions = NULL;
    tables->gnu_hash = tables->hash = NULL;
    tables->soname = 0;
    for (const ElfW(Dyn) *entry = object->l_ld; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            tables->symbols = address(object, entry);
        else if (entry->d_tag == DT_STRTAB)
            tables->strings = address(object, entry);
        else if (entry->d_tag == DT_VERSYM)
            tables->versions = address(object, entry);
        else if (entry->d_tag == DT_GNU_HASH)
            tables->gnu_hash = address(object, entry);
        else if (entry->d_tag == DT_HASH)
            tables->hash = address(object, entry);
        else if (entry->d_tag == DT_SONAME)
            tables->soname = entry->d_un.d_val;
    }
}

/* Whether symbol i is this function: it is defined here and not an old version. */
static bool is_function(const struct tables *tables, uint32_t i, const char *name)
{
    const ElfW(Sym) *symbol = &tables->symbols[i];
    return symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
           (tables->versions == NULL || (tables->versions[i] & VERSION_IS_HIDDEN) == 0) &&
           is_same(tables->strings + symbol->st_name, name);
}

static uint32_t gnu_hash(const char *name)
{
    uint32_t hash = 5381;
    for (const char *c = name; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    return hash;
}

/* False when the Bloom filter says that no name with this hash is in the table. */
static bool may_have(const uint32_t *table, uint32_t hash)
{
    enum { BITS = 8 * sizeof(ElfW(Addr)) };
    uint32_t filter_words = table[2], shift = table[3];
    const ElfW(Addr) *filter = (const void *)(table + 4);
    ElfW(Addr) word = filter[(hash / BITS) & (filter_words - 1)];
    return (word >> (hash % BITS) & word >> ((hash >> shift) % BITS) & 1) != 0;
}

static uint32_t find_by_gnu_hash(const struct tables *tables, const char *name)
{
    uint32_t hash = gnu_hash(name);
    const uint32_t *table = tables->gnu_hash, bucket_count = table[0], first = table[1],
                   filter_words = table[2];
    if (!may_have(table, hash))
        return STN_UNDEF;
    const uint32_t *buckets = table + 4 + filter_words * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *chain = buckets + bucket_count;
    uint32_t i = bucket_count > 0 ? buckets[hash % bucket_count] : 0;
    if (i < first)
        return STN_UNDEF; /* an empty bucket */
    for (;; i++) {
        uint32_t other = chain[i - first];
        if ((other | 1) == (hash | 1) && is_function(tables, i, name))
            return i;
        if (other & 1)
            return STN_UNDEF;
    }
}

/* DT_HASH, the older table: two counts, buckets, and for each symbol the next one of its bucket. */
static uint32_t find_by_hash(const struct tables *tables, const char *name)
{
    uint32_t hash = 0;
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    const uint32_t *table = tables->hash, bucket_count = table[0], *buckets = table + 2;
    const uint32_t *chain = buckets + bucket_count;
    uint32_t i = bucket_count > 0 ? buckets[hash % bucket_count] : STN_UNDEF;
    while (i != STN_UNDEF && !is_function(tables, i, name))
        i = chain[i];
    return i;
}

static void *find(const struct link_map *object, const struct tables *tables, const char *name)
{
    uint32_t i = STN_UNDEF;
    if (tables->symbols == NULL || tables->strings == NULL)
        return NULL;
    if (tables->gnu_hash != NULL)
        i = find_by_gnu_hash(tables, name);
    else if (tables->hash != NULL)
        i = find_by_hash(tables, name);
    return i != STN_UNDEF ? (void *)(object->l_addr + tables->symbols[i].st_value) : NULL;
}

/* The name that an object was built with; NULL when it has none. */
static const char *soname(const struct link_map *object)
{
    struct tables tables;
    read_tables(object, &tables);
    return tables.soname != 0 && tables.strings != NULL ? tables.strings + tables.soname : NULL;
}

bool loaded_headers(struct headers *main)
{
    main->first = (const void *)getauxval(AT_PHDR);
    main->count = main->first != NULL ? getauxval(AT_PHNUM) : 0;
    for (size_t i = 0; i < main->count; i++)
        if (main->first[i].p_type == PT_PHDR) {
            main->base = (uintptr_t)main->first - main->first[i].p_vaddr;
            return true;
        }
    return false;
}

/* The main program, which is the first object in ld.so's list. ld.so tells debuggers where the list is, in
 * the main program's dynamic section. NULL when it does not. */
static const struct link_map *first_object(void)
{
    struct headers main;
    const ElfW(Dyn) *entry = NULL;
    if (!loaded_headers(&main))
        return NULL;
    for (size_t i = 0; i < main.count; i++)
        if (main.first[i].p_type == PT_DYNAMIC)
            entry = (const void *)(main.base + main.first[i].p_vaddr);
    for (; entry != NULL && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr != 0)
            return ((const struct r_debug *)entry->d_un.d_ptr)->r_map;
    return NULL;
}

/* This library, found in the list by its dynamic section, or by ld.so, which takes a lock. */
static const struct link_map *find_self(void)
{
    struct link_map *self;
    Dl_info info;
    for (const struct link_map *object = first_object(); object != NULL; object = object->l_next)
        if (object->l_ld == _DYNAMIC)
            return object;
    return dladdr1((void *)find_self, &info, (void **)&self, RTLD_DL_LINKMAP) != 0 ? self : NULL;
}

const struct link_map *loaded_self(void)
{
    static const struct link_map *self;
    if (self == NULL)
        self = find_self();
    return self;
}

const struct link_map *loaded_libc(void)
{
    const struct link_map *object = loaded_self();
    const char *name;
    while (object != NULL && ((name = soname(object)) == NULL || !is_same(name, LIBC_SO)))
        object = object->l_next;
    return object;
}

void *loaded_function(const struct link_map *object, const char *name)
{
    struct tables tables;
    if (object == NULL)
        return NULL;
    read_tables(object, &tables);
    return find(object, &tables, name);
}

void *loaded_next_function(const char *name)
{
    void *function = NULL;
    const struct link_map *object = loaded_self();
    while (function == NULL && object != NULL && (object = object->l_next) != NULL)
        function = loaded_function(object, name);
    return function;
}

bool loaded_second_copy(void)
{
    const struct link_map *self = loaded_self();
    const char *own = self != NULL ? soname(self) : NULL, *other;
    if (own == NULL)
        return false;
    for (const struct link_map *object = self->l_prev; object != NULL; object = object->l_prev)
        if ((other = soname(object)) != NULL && is_same(other, own))
            return true;
    return false;
}
