/* Random port specifications, and what they mean by the words of run/portset.h. */
#ifndef SPECS_H
#define SPECS_H

#include "unit.h"

#include "base/text.h"
#include "run/portset.h"

enum { SPEC_ITEMS = 12, SPEC_SIZE = 1024 };

struct item {
    unsigned first, last, protocols, real;
    bool all, excluded;
};

struct spec {
    char text[SPEC_SIZE];
    unsigned count;
    struct item items[SPEC_ITEMS];
};

static void write_item(struct text *t, const struct item *item)
{
    static const char *const protocols[] = {
        [PORTMAP_TCP] = "/tcp", [PORTMAP_UDP] = "/udp", [PORTMAP_BOTH] = ""};
    text_str(t, item->excluded ? "!" : "");
    if (item->all)
        text_str(t, "all");
    else
        text_uint(t, item->first);
    if (!item->all && item->last != item->first) {
        text_char(t, '-');
        text_uint(t, item->last);
    }
    text_str(t, protocols[item->protocols]);
    if (item->real != 0) {
        text_char(t, '=');
        text_uint(t, item->real);
    }
}

static struct item random_item(void)
{
    struct item item = {
        .first = 1 + below(PORT_COUNT - 1), .protocols = 1 + below(3), .excluded = below(4) == 0};
    item.all = below(10) == 0;
    item.last = below(2) == 0 ? item.first : item.first + below(PORT_COUNT - item.first);
    return item;
}

/* Given real ports are the numbers from 1 on, each one's own; a placeholder has one. */
static void random_spec(struct spec *spec)
{
    struct text t = text_in(spec->text, sizeof spec->text);
    spec->count = 1 + below(SPEC_ITEMS);
    for (unsigned i = 0; i < spec->count; i++) {
        struct item *item = &spec->items[i];
        *item = random_item();
        bool again = false;
        for (unsigned k = 0; k < i; k++)
            again = again || spec->items[k].first == item->first;
        if (!item->all && !item->excluded && !again && item->first == item->last && below(2) == 0)
            item->real = 1 + i;
        text_str(&t, i == 0 ? "" : below(2) == 0 ? "," : " , ");
        write_item(&t, item);
    }
}

static bool item_names(const struct item *item, unsigned port, unsigned protocol)
{
    return (item->protocols & protocol) != 0 && (item->all || (port >= item->first && port <= item->last));
}

/* The protocols that are named for a port, by number or by "all", and not excluded. */
static unsigned spec_names(const struct spec *spec, unsigned port, bool all)
{
    unsigned result = 0;
    for (unsigned protocol = PORTMAP_TCP; protocol <= PORTMAP_UDP; protocol++) {
        bool named = false, excluded = false;
        for (unsigned i = 0; i < spec->count; i++) {
            const struct item *item = &spec->items[i];
            bool is = item_names(item, port, protocol);
            named = named || (is && !item->excluded && item->all == all);
            excluded = excluded || (is && item->excluded);
        }
        result |= named && !excluded ? protocol : 0;
    }
    return result;
}

/* A set that was read from the specification is what it means. */
__attribute__((unused)) static void check_set(const struct portset *set, const struct spec *spec)
{
    unsigned listed = 0, by_all = 0;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        unsigned number = spec_names(spec, port, false);
        unsigned all = number != 0 ? 0 : spec_names(spec, port, true);
        check(portset_listed(set, port) == number, "%u in %s", port, spec->text);
        check(portset_all(set, port) == all, "%u in %s", port, spec->text);
        listed += number != 0;
        by_all += all != 0;
    }
    equal(portset_count(set), listed);
    equal(portset_is_empty(set), listed + by_all == 0);
    for (unsigned i = 0; i < spec->count; i++)
        if (spec->items[i].real != 0)
            equal(portset_fixed(set, spec->items[i].first), spec->items[i].real);
}

#endif
