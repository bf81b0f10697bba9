#include "run/portset.h"

#include "base/text.h"
#include "error.h"

#include <string.h>

struct item {
    unsigned first, last, real, protocols;
    bool all, excluded;
};

static int refuse(struct problem *problem, const char *token, size_t len, const char *why, const char *remedy)
{
    struct text what = problem_of(problem, "", why, remedy);
    problem_add_word(&what, token, len);
    return PORTMAP_ESYNTAX;
}

static bool take_port(const char **at, const char *end, unsigned *port)
{
    uint64_t n;
    if (!text_take_uint(at, end, PORT_COUNT - 1, &n) || n == 0)
        return false;
    *port = (unsigned)n;
    return true;
}

static bool take_word(const char **at, const char *end, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool take_protocol(const char **at, const char *end, unsigned *protocols)
{
    if (take_word(at, end, "/tcp"))
        *protocols = PORTMAP_TCP;
    else if (take_word(at, end, "/udp"))
        *protocols = PORTMAP_UDP;
    else
        return false;
    return true;
}

static int parse_item(const char *at, const char *end, struct item *item, struct problem *problem)
{
    static const char number[] = "write a number from 1 to 65535";
    const char *start = at;
    size_t len = (size_t)(end - at);
    *item = (struct item){.protocols = PORTMAP_BOTH};

    item->excluded = take_word(&at, end, "!");
    item->all = take_word(&at, end, "all");
    if (item->all) {
        item->first = 1;
        item->last = PORT_COUNT - 1;
    } else {
        if (!take_port(&at, end, &item->first))
            return refuse(problem, start, len, "not a port number", number);
        item->last = item->first;
        if (take_word(&at, end, "-") && !take_port(&at, end, &item->last))
            return refuse(problem, start, len, "the range has no end that is a port number", number);
        if (item->last < item->first)
            return refuse(problem, start, len, "the range runs backwards", "write the smaller number first");
    }
    bool named = take_protocol(&at, end, &item->protocols);
    if (take_word(&at, end, "=")) {
        if (item->all || item->excluded || item->first != item->last)
            return refuse(problem, start, len, "a real port needs one placeholder",
                          "write PLACEHOLDER=REAL for each");
        if (!take_port(&at, end, &item->real))
            return refuse(problem, start, len, "the real port is not a port number", number);
        if (!named)
            take_protocol(&at, end, &item->protocols);
    }
    if (at != end)
        return refuse(problem, start, len, "not understood",
                      "write PORT, FIRST-LAST, PORT/udp, PLACEHOLDER=REAL, all or !PORT");
    return 0;
}

static int add_fixed(struct portset *set, const struct item *item, const char *token, size_t len,
                     struct problem *problem)
{
    for (unsigned i = 0; i < set->fixed_count; i++) {
        bool same_placeholder = set->fixed[i].placeholder == item->first;
        bool same_real = set->fixed[i].real == item->real;
        if (same_placeholder && same_real)
            return 0;
        if (same_placeholder)
            return refuse(problem, token, len, "the placeholder has two real ports", "give it one");
        if (same_real)
            return refuse(problem, token, len, "two placeholders have this real port",
                          "give each a real port of its own");
    }
    if (set->fixed_count == PORTSET_START) {
        refuse(problem, token, len, "more than 1000 real ports are given", "list fewer");
        return PORTMAP_ETOOMANY;
    }
    set->fixed[set->fixed_count].placeholder = (uint16_t)item->first;
    set->fixed[set->fixed_count++].real = (uint16_t)item->real;
    return 0;
}

static int add_item(struct portset *set, const char *token, const char *end, struct problem *problem)
{
    struct item item;
    int error = parse_item(token, end, &item, problem);
    if (error == 0 && item.real != 0)
        error = add_fixed(set, &item, token, (size_t)(end - token), problem);
    if (error != 0)
        return error;
    struct portbits *bits = item.excluded ? set->excluded : item.all ? set->all : set->listed;
    if (item.protocols & PORTMAP_TCP)
        portbits_add_range(&bits[0], item.first, item.last);
    if (item.protocols & PORTMAP_UDP)
        portbits_add_range(&bits[1], item.first, item.last);
    set->has_excluded = set->has_excluded || item.excluded;
    set->has_all = set->has_all || (item.all && !item.excluded);
    if (set->words <= item.last / 64)
        set->words = item.last / 64 + 1;
    return 0;
}

int portset_add(struct portset *set, const char *spec, struct problem *problem)
{
    for (;;) {
        const char *end = spec + strcspn(spec, ",");
        const char *first = spec, *last = end;
        while (first < last && *first == ' ')
            first++;
        while (last > first && last[-1] == ' ')
            last--;
        int error = add_item(set, first, last, problem);
        if (error != 0)
            return error;
        if (*end == '\0')
            return 0;
        spec = end + 1;
    }
}

static unsigned protocols_in(const struct portbits bits[2], const struct portset *set, unsigned port)
{
    unsigned tcp = portbits_has(&bits[0], port), udp = portbits_has(&bits[1], port);
    if (set->has_excluded) {
        tcp = tcp && !portbits_has(&set->excluded[0], port);
        udp = udp && !portbits_has(&set->excluded[1], port);
    }
    return tcp * PORTMAP_TCP | udp * PORTMAP_UDP;
}

unsigned portset_listed(const struct portset *set, unsigned port)
{
    return protocols_in(set->listed, set, port);
}

unsigned portset_all(const struct portset *set, unsigned port)
{
    return portset_listed(set, port) != 0 ? 0 : protocols_in(set->all, set, port);
}

/* A word of the set of all placeholders: those that are listed by number and, if `all`, those of "all". */
static uint64_t placeholders(const struct portset *set, unsigned word, bool all)
{
    uint64_t tcp = set->listed[0].word[word], udp = set->listed[1].word[word];
    if (all && set->has_all) {
        tcp |= set->all[0].word[word];
        udp |= set->all[1].word[word];
    }
    if (set->has_excluded) {
        tcp &= ~set->excluded[0].word[word];
        udp &= ~set->excluded[1].word[word];
    }
    return tcp | udp;
}

static unsigned next(const struct portset *set, unsigned after, bool all)
{
    uint64_t above = ~UINT64_C(0) << ((after + 1) % 64);
    for (unsigned word = (after + 1) / 64; word < set->words; word++, above = ~UINT64_C(0)) {
        uint64_t bits = placeholders(set, word, all) & above;
        if (bits != 0)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
    }
    return 0;
}

unsigned portset_next_listed(const struct portset *set, unsigned after)
{
    return next(set, after, false);
}

unsigned portset_next(const struct portset *set, unsigned after)
{
    return next(set, after, true);
}

void portset_first(const struct portset *set, unsigned most, struct portbits *first)
{
    unsigned count = 0;
    memset(first, 0, sizeof *first);
    for (unsigned i = 0; i < set->fixed_count; i++)
        if (portset_listed(set, set->fixed[i].placeholder) != 0) {
            portbits_add(first, set->fixed[i].placeholder);
            count++;
        }
    for (unsigned port = 0; count < most && (port = portset_next_listed(set, port)) != 0;)
        if (!portbits_has(first, port)) {
            portbits_add(first, port);
            count++;
        }
}

unsigned portset_count(const struct portset *set)
{
    unsigned count = 0;
    for (unsigned word = 0; word < set->words; word++)
        count += portbits_ones(placeholders(set, word, false));
    return count;
}

bool portset_is_empty(const struct portset *set)
{
    return portset_next(set, 0) == 0;
}

unsigned portset_fixed(const struct portset *set, unsigned placeholder)
{
    for (unsigned i = 0; i < set->fixed_count; i++)
        if (set->fixed[i].placeholder == placeholder)
            return set->fixed[i].real;
    return 0;
}
