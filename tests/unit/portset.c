/* Port specifications: run/portset.h. */
#include "unit.h"

#include "base/text.h"
#include "error.h"
#include "run/portset.h"

static struct portset set;
static struct problem problem;

static void read_into(struct portset *into, const char *spec)
{
    memset(into, 0, sizeof *into);
    int error = portset_add(into, spec, &problem);
    check(error == 0, "%d for %s: %s: %s", error, spec, problem.what, problem.why);
}

/* One item as a person would write it, and what it says. */
struct item {
    unsigned first, last, protocols, real;
    bool all, excluded;
};

static void write_item(struct text *t, const struct item *item)
{
    static const char *const protocols[] = {[PORTMAP_TCP] = "/tcp", [PORTMAP_UDP] = "/udp", [PORTMAP_BOTH] = ""};
    text_str(t, item->excluded ? "!" : "");
    if (item->all) {
        text_str(t, "all");
    } else {
        text_uint(t, item->first);
        if (item->last != item->first) {
            text_char(t, '-');
            text_uint(t, item->last);
        }
    }
    text_str(t, protocols[item->protocols]);
    if (item->real != 0) {
        text_char(t, '=');
        text_uint(t, item->real);
    }
}

static struct item random_item(unsigned number)
{
    struct item item = {.first = 1 + below(PORT_COUNT - 1), .protocols = 1 + below(3), .excluded = below(4) == 0};
    item.all = below(10) == 0;
    item.last = below(2) == 0 ? item.first : item.first + below(PORT_COUNT - item.first);
    if (!item.all && !item.excluded && item.first == item.last && below(2) == 0)
        item.real = 1 + number; /* each has another */
    return item;
}

static bool names(const struct item *item, unsigned port, unsigned protocol)
{
    return (item->protocols & protocol) != 0 && (item->all || (port >= item->first && port <= item->last));
}

/* By the words of portset.h: listed by number, or by "all" alone, and not excluded. */
static unsigned expected(const struct item *items, unsigned count, unsigned port, bool all)
{
    unsigned result = 0;
    for (unsigned protocol = PORTMAP_TCP; protocol <= PORTMAP_UDP; protocol++) {
        bool named = false, excluded = false;
        for (unsigned i = 0; i < count; i++) {
            bool is = names(&items[i], port, protocol);
            named = named || (is && !items[i].excluded && items[i].all == all);
            excluded = excluded || (is && items[i].excluded);
        }
        result |= named && !excluded ? protocol : 0;
    }
    return result;
}

TEST("a random specification means what its items say")
{
    for (unsigned round = 0; round < 100; round++) {
        char spec[1024];
        struct item items[12];
        unsigned count = 1 + below(12);
        struct text t = text_in(spec, sizeof spec);
        for (unsigned i = 0; i < count; i++) {
            items[i] = random_item(i);
            for (unsigned k = 0; k < i; k++)
                if (items[k].first == items[i].first)
                    items[i].real = 0; /* a placeholder has one */
            text_str(&t, i == 0 ? "" : below(2) == 0 ? "," : " , ");
            write_item(&t, &items[i]);
        }
        read_into(&set, spec);
        unsigned listed = 0, by_all = 0;
        for (unsigned port = 1; port < PORT_COUNT; port++) {
            unsigned by_number = expected(items, count, port, false);
            unsigned rest = by_number != 0 ? 0 : expected(items, count, port, true);
            check(portset_listed(&set, port) == by_number, "%u in %s", port, spec);
            check(portset_all(&set, port) == rest, "%u in %s", port, spec);
            listed += by_number != 0;
            by_all += rest != 0;
        }
        equal(portset_count(&set), listed);
        equal(portset_is_empty(&set), listed + by_all == 0);
        for (unsigned i = 0; i < count; i++)
            if (items[i].real != 0)
                equal(portset_fixed(&set, items[i].first), items[i].real);
    }
}
