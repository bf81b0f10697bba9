#include "program/preload.h"

#include <string.h>

static size_t item_length(const char *list)
{
    return text_until(list, " :");
}

static bool is_path(const char *item, size_t len, const char *path)
{
    return strlen(path) == len && memcmp(item, path, len) == 0;
}

static const char *base_name(const char *item, size_t len)
{
    const char *base = item;
    for (size_t i = 0; i < len; i++)
        if (item[i] == '/')
            base = item + i + 1;
    return base;
}

static bool is_sanitizer(const char *item, size_t len)
{
    static const char *const names[] = {"libasan.", "libtsan.", "libubsan.", "liblsan.", "libclang_rt."};
    const char *base = base_name(item, len);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(base, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

bool preload_lists(const char *list, const char *library)
{
    for (;;) {
        size_t len = item_length(list);
        if (is_path(list, len, library))
            return true;
        if (list[len] == '\0')
            return false;
        list += len + 1;
    }
}

void preload_write_without(struct text *t, const char *library, const char *list)
{
    const char *separator = "";
    while (*list != '\0') {
        size_t len = item_length(list);
        const char *item = list, *base = base_name(item, len);
        list += list[len] == '\0' ? len : len + 1;
        bool is_ours =
            is_path(item, len, library) || is_path(base, len - (size_t)(base - item), "libportshim.so");
        if (len == 0 || is_ours)
            continue;
        text_str(t, separator);
        text_bytes(t, item, len);
        separator = ":";
    }
}

void preload_write(struct text *t, const char *library, const char *alias, const char *list)
{
    bool placed = false;
    const char *separator = "";
    while (*list != '\0') {
        size_t len = item_length(list);
        const char *item = list;
        list += list[len] == '\0' ? len : len + 1;
        if (len == 0 || is_path(item, len, library) || is_path(item, len, alias))
            continue;
        if (!placed && !is_sanitizer(item, len)) {
            text_str(t, separator);
            text_str(t, library);
            separator = ":";
            placed = true;
        }
        text_str(t, separator);
        text_bytes(t, item, len);
        separator = ":";
    }
    if (!placed) {
        text_str(t, separator);
        text_str(t, library);
    }
}
