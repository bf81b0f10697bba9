#include "run/compact.h"

#include "base/text.h"

#include <string.h>

struct range {
    unsigned first, last, real, alias, protocols;
};

static struct range range_at(const struct map *map, unsigned i)
{
    struct map_pair pair = map_start(map, i);
    return (struct range){.first = pair.placeholder,
                          .last = pair.placeholder,
                          .real = pair.real,
                          .alias = pair.alias,
                          .protocols = pair.flags & PORTMAP_BOTH};
}

static bool continues(const struct range *range, const struct range *next)
{
    return next->real != 0 && range->alias == 0 && next->alias == 0 && range->protocols == next->protocols &&
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

static void write_trap(struct text *t, const struct compact_trap *trap)
{
    text_str(t, trap->is_on ? " t" : "");
    text_str(t, trap->is_off ? " o" : "");
    if (trap->command_length == 0 || *trap->command != '/' ||
        text_until(trap->command, " ") < trap->command_length)
        return;
    text_str(t, " @");
    text_bytes(t, trap->command, trap->command_length);
}

bool compact_write(const struct map *map, const char *secret, const struct compact_trap *trap, char *buffer,
                   size_t size)
{
    struct text t = text_in(buffer, size);
    text_str(&t, "2 ");
    text_str(&t, secret);
    text_str(&t, map->head->reveal ? " r" : "");
    text_str(&t, map->head->has_late ? " l" : "");
    text_str(&t, map->head->strict ? " s" : "");
    write_trap(&t, trap);
    uint32_t count = map_start_count(map);
    for (unsigned i = 0; i < count;) {
        struct range range = range_at(map, i++);
        for (struct range next; i < count && (next = range_at(map, i), continues(&range, &next)); i++)
            range.last = next.first;
        if (range.real != 0)
            write_range(&t, &range);
    }
    return !t.cut;
}

bool compact_add_outer(char *buffer, size_t size, const char *path)
{
    size_t used = strlen(buffer);
    struct text t = text_in(buffer + used, size - used);
    text_str(&t, " ^");
    text_str(&t, path);
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
    if (take(at, '~') && (range->last != range->first || !take_port(at, &range->alias)))
        return false;
    if (take(at, '/')) {
        bool tcp = take(at, 't');
        if (!tcp && !take(at, 'u'))
            return false;
        range->protocols = tcp ? PORTMAP_TCP : PORTMAP_UDP;
    }
    return range->real + (range->last - range->first) < PORT_COUNT;
}

static bool take_word(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0 || ((*at)[len] != ' ' && (*at)[len] != '\0'))
        return false;
    *at += len;
    return true;
}

/* Reads what is said about the run, and moves *at behind it. */
static bool take_run(const char **at, struct compact *compact)
{
    struct text secret = text_in(compact->secret, sizeof compact->secret);
    if (!take(at, '2') || !take(at, ' '))
        return false;
    size_t len = 0;
    while (text_hex_value((*at)[len]) >= 0)
        len++;
    text_bytes(&secret, *at, len);
    *at += len;
    compact->reveal = take_word(at, " r");
    compact->late = take_word(at, " l");
    compact->strict = take_word(at, " s");
    return len == SECRET_SIZE - 1 && (**at == ' ' || **at == '\0');
}

static void take_command(const char **at, struct compact_trap *trap)
{
    trap->command = NULL;
    trap->command_length = 0;
    if (strncmp(*at, " @/", 3) != 0)
        return;
    trap->command = *at + 2;
    trap->command_length = text_until(trap->command, " ");
    *at = trap->command + trap->command_length;
}

/* Reads all that comes before the assignments, and moves *at there. */
static bool take_head(const char **at, struct compact *compact)
{
    if (!take_run(at, compact))
        return false;
    compact->trap.is_on = take_word(at, " t");
    compact->trap.is_off = take_word(at, " o");
    take_command(at, &compact->trap);
    return true;
}

bool compact_set_trapped(char *buffer, size_t size)
{
    static const char word[] = " t";
    const size_t len = sizeof word - 1;
    struct compact compact;
    const char *at = buffer;
    if (!take_run(&at, &compact))
        return false;
    if (take_word(&at, word))
        return true;
    size_t before = (size_t)(at - buffer), rest = strlen(at) + 1;
    if (before + len + rest > size)
        return false;
    memmove(buffer + before + len, buffer + before, rest);
    memcpy(buffer + before, word, len);
    return true;
}

bool compact_read_head(const char *text, struct compact *compact)
{
    return take_head(&text, compact);
}

bool compact_read(const char *text, compact_sink *sink, void *to)
{
    struct compact compact;
    if (!take_head(&text, &compact))
        return false;
    while (*text == ' ' && text[1] != '^') {
        struct range range;
        text++;
        if (!read_range(&text, &range))
            return false;
        for (unsigned i = 0; i <= range.last - range.first; i++)
            sink(to, range.first + i, range.real + i, range.alias, range.protocols << MAP_PROTOCOLS_SHIFT);
    }
    return *text == '\0' || *text == ' ';
}

static void look_for_udp(void *found, unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols)
{
    (void)placeholder, (void)real, (void)alias;
    if ((protocols >> MAP_PROTOCOLS_SHIFT & PORTMAP_UDP) != 0)
        *(bool *)found = true;
}

bool compact_has_datagrams(const char *text)
{
    struct compact compact;
    bool found = false;
    return compact_read_head(text, &compact) &&
           (compact.late || (compact_read(text, look_for_udp, &found) && found));
}

/* The path of the next head in a text; NULL when there is no more. */
static const char *next_outer(const char *text)
{
    while (*text != '\0' && (text[0] != ' ' || text[1] != '^'))
        text++;
    return *text != '\0' ? text + 2 : NULL;
}

bool compact_outer(const char *text, unsigned n, char path[static PATH_MAX])
{
    const char *at = next_outer(text);
    while (at != NULL && n-- > 0)
        at = next_outer(at);
    if (at == NULL)
        return false;
    struct text t = text_in(path, PATH_MAX);
    text_bytes(&t, at, text_until(at, " "));
    return !t.cut && *path == '/';
}
