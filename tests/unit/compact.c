/* The assignments of a run in one short text: run/compact.h. */
#include "maps.h"

#include "run/compact.h"

static char text[COMPACT_SIZE];
static struct pair pairs[PAIRS];

/* What was read. */
static struct pair by_placeholder[PORT_COUNT];
static unsigned count;

static void take(void *to, unsigned placeholder, unsigned real, unsigned alias, uint32_t protocols)
{
    check(to == &count, "whose sink");
    check(placeholder > 0 && placeholder < PORT_COUNT && real > 0 && real < PORT_COUNT && alias < PORT_COUNT,
          "%u=%u~%u", placeholder, real, alias);
    by_placeholder[placeholder] = (struct pair){placeholder, real, alias, protocols >> MAP_PROTOCOLS_SHIFT};
    count++;
}

static bool reads(const char *from, bool *reveal)
{
    memset(by_placeholder, 0, sizeof by_placeholder);
    count = 0;
    return compact_read(from, take, &count, reveal);
}

TEST("what is written is read back")
{
    for (unsigned round = 0; round < 50; round++) {
        struct map *map = new_map();
        bool reveal;
        bool revealing = below(2) == 0;
        if (revealing)
            let_reveal(map);
        assign_pairs(map, pairs);
        check(compact_write(map, text, sizeof text), "it does not fit");
        check(reads(text, &reveal), "%s", text);
        equal(reveal, revealing);
        equal(count, PAIRS);
        for (unsigned i = 0; i < PAIRS; i++) {
            const struct pair *read = &by_placeholder[pairs[i].placeholder];
            check(read->real == pairs[i].real && read->alias == pairs[i].alias &&
                      read->protocols == pairs[i].protocols,
                  "%u=%u~%u for %u, which is %u=%u~%u", read->placeholder, read->real, read->alias,
                  read->protocols, pairs[i].placeholder, pairs[i].real, pairs[i].alias);
        }
        map_detach(map);
    }
}

TEST("neighbours whose real ports are neighbours are a range, up to the last port")
{
    struct map *map = new_map();
    let_reveal(map);
    assign(map, 8080, 23456, PORTMAP_BOTH);
    for (unsigned i = 0; i <= 10; i++)
        assign(map, 9000 + i, 20000 + i, PORTMAP_UDP);
    assign(map, 9011, 20011, PORTMAP_TCP);
    for (unsigned i = 0; i < 2; i++) {
        assign(map, EPHEMERAL_FIRST + i, 21000 + i, PORTMAP_BOTH);
        check(map_enter_alias(map, EPHEMERAL_FIRST + i, 22000 + i, 0), "no alias");
    }
    for (unsigned i = 0; i < 3; i++)
        assign(map, 30000 + i, 65533 + i, PORTMAP_BOTH);
    check(compact_write(map, text, sizeof text), "it does not fit");
    equal_text(text, "1 r 8080=23456 9000-9010=20000/u 9011=20011/t 40000=21000~22000 40001=21001~22001 "
                     "30000-30002=65533");
}

TEST("an empty map is a text as well")
{
    bool reveal;
    check(compact_write(new_map(), text, sizeof text), "it does not fit");
    check(reads(text, &reveal) && !reveal, "%s", text);
    equal(count, 0);
}

TEST("the longest text fits, and one that is cut is not written")
{
    struct map *map = new_map();
    bool reveal;
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        assign(map, 10000 + 2 * i, 65535 - 2 * i, PORTMAP_UDP);
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        map_enter_alias(map, 10000 + 2 * i, 10001 + 2 * i, 0);
    check(compact_write(map, text, sizeof text), "it does not fit");
    check(reads(text, &reveal) && count == MAP_START_MAX, "%u", count);
    check(!compact_write(map, text, strlen(text)), "it fits");
}

TEST("what is no such text is refused")
{
    static const char *const bad[] = {
        "",          "2",         "1 ",      "1 8080",      "1 8080=", "1 =8080", "1 0=1",     "1 1=0",
        "1 65536=1", "1 1=65536", "1 2-1=5", "1 1-2=65535", "1 1=2/",  "1 1=2/x", "1 1=2~",    "1 1=2~0",
        "1 1=2x",    "1 1=2 ",    "1  1=2",  "1x",          "1 rr",    "1 1-=2",  "1 1=2/t~3", "11"};
    bool reveal;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!reads(bad[i], &reveal), "\"%s\"", bad[i]);
}

TEST("a text in which characters were changed is refused or says ports, never anything else")
{
    static const char of[] = "0123456789-=~/tur 1\n";
    struct map *map = new_map();
    for (unsigned round = 0; round < 5000; round++) {
        static const char good[] = "1 r 8080=23456 9000-9010=20000/u 56379=20011~20012 65530-65535=1/t";
        bool reveal;
        memcpy(text, good, sizeof good);
        for (unsigned changes = 1 + below(4); changes > 0; changes--)
            text[below(sizeof good - 1)] = of[below(sizeof of - 1)];
        reads(text, &reveal); /* take() checks */
    }
    map_detach(map);
}
