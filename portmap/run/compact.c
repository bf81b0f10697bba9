#include "run/compact.h"

#include "base/text.h"

#include <string.h>

struct range {
    unsigned first, last, real, alias, protocols;
};

static struct range range_at(const struct map *map, unsigned i)
{
    unsigned placeholder = map->start[i];
    uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
    return (struct range){.first = placeholder,
                          .last = placeholder,
                          .real = map_entry_port(entry),
                          .alias = map_alias(map, placeholder),
                          .protocols = map_entry_protocols(entry)};
}

static bool continues(const struct range *range, const struct range *next)
{
    return range->alias == 0 && next->alias == 0 && range->protocols == next->protocols &&
           next->first == range->last + 1 && next->real == range->real + (next->first - range->first);
}

static void write_range(struct text *t, const struct range *range)
{
    text_char(t, ' ');
    text_uint(t, range->first);
    if (range->last != range->first) {
        text_char(t, '-');
        text_uint(t, range->last);
    }
    text_char(t, '=');
    text_uint(t, range->real);
    if (range->alias != 0) {
        text_char(t, '~');
        text_uint(t, range->alias);
    }
    if (range->protocols != PORTMAP_BOTH)
        text_str(t, range->protocols == PORTMAP_TCP ? "/t" : "/u");
}

bool compact_write(const struct map *map, char *buffer, size_t size)
{
    struct text t = text_in(buffer, size);
    text_str(&t, map->reveal ? "1 r" : "1");
    uint32_t count = atomic_load(&map->start_count);
    for (unsigned i = 0; i < count;) {
        struct range range = range_at(map, i++);
        for (struct range next; i < count && (next = range_at(map, i), continues(&range, &next)); i++)
            range.last = next.first;
        write_range(&t, &range);
    }
    return !t.cut;
}

static bool take(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

static bool take_port(const char **at, unsigned *port)
{
    uint64_t n;
    if (!text_take_uint(at, *at + strlen(*at), PORT_COUNT - 1, &n) || n == 0)
        return false;
    *port = (unsigned)n;
    return true;
}

static bool read_range(const char **at, struct range *range)
{
    *range = (struct range){.protocols = PORTMAP_BOTH};
    if (!take_port(at, &range->first))
        return false;
    range->last = range->first;
    if (take(at, '-') && (!take_port(at, &range->last) || range->last < range->first))
        return false;
    if (!take(at, '=') || !take_port(at, &range->real))
        return false;
    if (take(at, '~') && !take_port(at, &range->alias))
        return false;
    if (take(at, '/')) {
        bool tcp = take(at, 't');
        if (!tcp && !take(at, 'u'))
            return false;
        range->protocols = tcp ? PORTMAP_TCP : PORTMAP_UDP;
    }
    return range->real + (range->last - range->first) < PORT_COUNT;
}

bool compact_read(const char *text, compact_sink *sink, void *to, bool *reveal)
{
    if (!take(&text, '1'))
        return false;
    *reveal = strncmp(text, " r", 2) == 0;
    if (*reveal)
        text += 2;
    while (take(&text, ' ')) {
        struct range range;
        if (!read_range(&text, &range))
            return false;
        for (unsigned i = 0; i <= range.last - range.first; i++)
            sink(to, range.first + i, range.real + i, range.alias, range.protocols << MAP_PROTOCOLS_SHIFT);
    }
    return *text == '\0';
}
