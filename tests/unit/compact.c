/* The assignments of a run in one short text: run/compact.h. */
#include "maps.h"

#include "run/compact.h"

static char text[COMPACT_SIZE];
static struct pair pairs[PAIRS];

static const char secret[] = "0123456789abcdef0123456789abcdef";
#define HEAD "2 0123456789abcdef0123456789abcdef"

/* What is written about the trap. */
static struct compact_trap trap;

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

/* What the text said besides. */
static struct compact head;

static bool reads(const char *from)
{
    memset(by_placeholder, 0, sizeof by_placeholder);
    memset(&head, 0xaa, sizeof head);
    count = 0;
    return compact_read(from, take, &count) && compact_read_head(from, &head);
}

static void let_command(const char *path)
{
    trap.command = path;
    trap.command_length = strlen(path);
}

static bool writes(const struct map *map)
{
    return compact_write(map, secret, &trap, text, sizeof text);
}

TEST("what is written is read back")
{
    for (unsigned round = 0; round < 48; round++) {
        bool reveal = round & 1, late = round & 2, strict = round & 4;
        trap = (struct compact_trap){.is_on = round & 8, .is_off = round & 16};
        if (round % 3 == 0)
            let_command("/usr/local/bin/portshim");
        struct map *map = late ? new_late_map() : new_map();
        map->head->strict = strict;
        if (reveal)
            let_reveal(map);
        assign_pairs(map, pairs);
        check(writes(map), "it does not fit");
        check(reads(text), "%s", text);
        equal_text(head.secret, secret);
        equal(head.reveal, reveal);
        equal(head.late, late);
        equal(head.strict, strict);
        equal(head.trap.is_on, trap.is_on);
        equal(head.trap.is_off, trap.is_off);
        equal(head.trap.command_length, trap.command_length);
        check(head.trap.command_length == 0
                  ? head.trap.command == NULL
                  : memcmp(head.trap.command, trap.command, trap.command_length) == 0,
              "%s", text);
        equal(count, PAIRS);
        for (unsigned i = 0; i < PAIRS; i++) {
            const struct pair *read = &by_placeholder[pairs[i].placeholder];
            check(read->real == pairs[i].real && read->alias == pairs[i].alias &&
                      read->protocols == pairs[i].protocols,
                  "%u=%u~%u for %u, which is %u=%u~%u", read->placeholder, read->real, read->alias,
                  read->protocols, pairs[i].placeholder, pairs[i].real, pairs[i].alias);
        }
        drop_map(map);
    }
}

TEST("what is said about the trap stands before the assignments")
{
    struct map *map = new_map();
    map->head->strict = 1;
    assign(map, 8080, 20000, PORTMAP_BOTH);
    trap = (struct compact_trap){.is_on = true, .is_off = true};
    trap.command = "/a^b/portshim/and more";
    trap.command_length = strlen("/a^b/portshim");
    check(writes(map) && compact_add_outer(text, sizeof text, "/c/d"), "it does not fit");
    equal_text(text, HEAD " s t o @/a^b/portshim 8080=20000 ^/c/d");
    char path[PATH_MAX];
    check(reads(text) && compact_outer(text, 0, path), "%s", text);
    equal_text(path, "/c/d");
    equal(count, 1);
    check(!compact_outer(text, 1, path), "%s", path);
}

TEST("a command that a word cannot hold, or that depends on the directory, is left out")
{
    static const char *const bad[] = {"", "portshim", "./portshim", "/my programs/portshim"};
    trap = (struct compact_trap){.is_off = true};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        let_command(bad[i]);
        check(writes(new_map()), "it does not fit");
        equal_text(text, HEAD " o");
    }
}

/* What becomes of a text that is made to say that there is a trap, in as much space as it needs. */
static const char *trapped(const char *from, size_t needs)
{
    static char changed[256];
    memcpy(changed, from, strlen(from) + 1);
    check(!compact_set_trapped(changed, needs), "it fits: %s", changed);
    equal_text(changed, from);
    check(compact_set_trapped(changed, needs + 1), "it does not fit: %s", changed);
    return changed;
}

TEST("a text can be made to say that there is a trap, once")
{
    static const char *const rests[] = {"", " 8080=1", " o", " o @/a/b 8080=1 ^/c/d", " @/t", " ^/ t"};
    static const char *const runs[] = {HEAD, HEAD " r", HEAD " l", HEAD " r l s"};
    char from[256], to[256];
    for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++)
        for (unsigned j = 0; j < sizeof rests / sizeof *rests; j++) {
            snprintf(from, sizeof from, "%s%s", runs[i], rests[j]);
            snprintf(to, sizeof to, "%s t%s", runs[i], rests[j]);
            equal_text(trapped(from, strlen(to)), to);
            check(reads(to) && head.trap.is_on, "%s", to);
            snprintf(from, sizeof from, "%s", to);
            check(compact_set_trapped(to, strlen(to) + 1), "%s", to);
            equal_text(to, from);
        }
    snprintf(from, sizeof from, "1 8080=1");
    check(!compact_set_trapped(from, sizeof from), "%s", from);
    equal_text(from, "1 8080=1");
}

TEST("a text has datagrams when a placeholder may be one of UDP")
{
    static const struct {
        const char *text;
        bool has;
    } cases[] = {{HEAD, false},           {HEAD " r", false},          {HEAD " 8080=1/t", false},
                 {HEAD " 8080=1", true},  {HEAD " 8080=1/u", true},    {HEAD " 80=1/t 90-91=2/u ^/c", true},
                 {HEAD " l", true},       {HEAD " l 8080=1/t", true},  {HEAD " t @/u 8080=1/t ^/u", false},
                 {"1 8080=1/u", false},   {HEAD " 8080=x", false}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        check(compact_has_datagrams(cases[i].text) == cases[i].has, "%s", cases[i].text);
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
    check(writes(map), "it does not fit");
    equal_text(text, HEAD " r 8080=23456 9000-9010=20000/u 9011=20011/t 40000=21000~22000 40001=21001~22001 "
                          "30000-30002=65533");
}

TEST("an empty map is a text as well")
{
    check(writes(new_map()), "it does not fit");
    equal_text(text, HEAD);
    check(reads(text) && !head.reveal && !head.late && !head.strict, "%s", text);
    equal(count, 0);
}

TEST("what was taken back is not in it, and neighbours on both sides of that are no range")
{
    struct map *map = new_map();
    for (unsigned i = 0; i < 5; i++)
        assign(map, 9000 + i, 20000 + i, PORTMAP_BOTH);
    take_back(map, 9002);
    check(writes(map), "it does not fit");
    equal_text(text, HEAD " 9000-9001=20000 9003-9004=20003");
    take_back(map, 9000);
    take_back(map, 9004);
    check(writes(map), "it does not fit");
    equal_text(text, HEAD " 9001=20001 9003=20003");
    check(reads(text) && count == 2, "%u", count);
}

TEST("late assignments are not in it, only that there may be some")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    list_late(map, 8080, PORTMAP_BOTH, BY_NUMBER);
    check(enter_leased(map, 8080, 20000, &entry), "it is not assigned");
    check(writes(map), "it does not fit");
    equal_text(text, HEAD " l");
}

TEST("the longest text fits, and one that is cut is not written")
{
    static char path[PATH_MAX];
    struct map *map = new_late_map();
    static char command[PATH_MAX];
    memset(command, 'x', sizeof command - 1);
    *command = '/';
    trap = (struct compact_trap){.is_on = true, .is_off = true};
    let_command(command);
    map->head->strict = 1;
    let_reveal(map);
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        assign(map, 10000 + 2 * i, 65535 - 2 * i, PORTMAP_UDP);
    for (unsigned i = 0; i < MAP_START_MAX; i++)
        map_enter_alias(map, 10000 + 2 * i, 10001 + 2 * i, 0);
    check(writes(map), "it does not fit");
    check(reads(text) && count == MAP_START_MAX, "%u", count);
    size_t len = strlen(text);
    check(!compact_write(map, secret, &trap, text, len), "it fits");
    check(compact_write(map, secret, &trap, text, len + 1), "it does not fit");
    memset(path, 'x', sizeof path - 1);
    *path = '/';
    check(!compact_add_outer(text, len + PATH_MAX + 1, path), "it fits");
    check(compact_write(map, secret, &trap, text, len + 1), "it does not fit");
    check(compact_add_outer(text, len + PATH_MAX + 2, path), "it does not fit");
    check(reads(text) && count == MAP_START_MAX, "%u", count);
}

TEST("the runs around are told from the inside out, and their paths are no assignments")
{
    enum { AROUND = 20 };
    char path[PATH_MAX], expected[PATH_MAX];
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    for (unsigned some = 0; some < 2; some++) {
        check(writes(some ? map : new_map()), "it does not fit");
        check(!compact_outer(text, 0, path), "%s", path);
        for (unsigned i = 0; i < AROUND; i++) {
            snprintf(expected, sizeof expected, "/home/1=2/runs/%014x/%s", i, secret);
            check(compact_add_outer(text, sizeof text, expected), "it does not fit");
            check(reads(text), "%s", text);
            equal(count, some);
        }
        for (unsigned i = 0; i < AROUND; i++) {
            snprintf(expected, sizeof expected, "/home/1=2/runs/%014x/%s", i, secret);
            check(compact_outer(text, i, path), "%u", i);
            equal_text(path, expected);
        }
        check(!compact_outer(text, AROUND, path), "%s", path);
    }
}

TEST("what is no path of a run around is not told")
{
    static const char *const bad[] = {" ^", " ^x", " ^ /x", "^"};
    char path[PATH_MAX];
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s", HEAD, bad[i]);
        check(!compact_outer(text, 0, path), "%s", bad[i]);
    }
    snprintf(text, sizeof text, "%s ^/", HEAD);
    memset(text + strlen(text), 'x', PATH_MAX);
    check(!compact_outer(text, 0, path), "a path that is too long");
}

TEST("what is no such text is refused")
{
    static const char *const bad[] = {
        "8080",    "8080=", "=8080",   "0=1",    "1=0",  "65536=1",  "1=65536", "2-1=5", "1-2=65535",
        "1=2/",    "1=2/x", "1=2~",    "1=2~0",  "1=2x", "1=2 ",     " 1=2",    "rr",    "1-=2",
        "1=2/t~3", "r r",   "1-2=3~4", "s r",    "l r",  "s l",      "x",       "t r",   "o t",
        "t s",     "@",     "@x",      "@/x t",  "t t",  "8080=1 t", "@/x @/y", "t/x",   "o ",
        "1=2 r",   "",      "x ^/x",   "1=2^/x", "r^/x"};
    static const char *const heads[] = {"",
                                        "2",
                                        "2 ",
                                        "1 8080=23456",
                                        "1 " HEAD,
                                        "22 " HEAD,
                                        "2  0123456789abcdef0123456789abcdef",
                                        HEAD "0",
                                        HEAD "r",
                                        "2 r",
                                        " " HEAD,
                                        "2 0123456789ABCDEF0123456789abcdef",
                                        "2 ../456789abcdef0123456789abcdef",
                                        "2 0123456789abcdef0123456789abcde",
                                        "2 0123456789abcdef0123456789abcde 8080=1"};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s %s", HEAD, bad[i]);
        check(!reads(text), "\"%s\"", text);
    }
    for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) {
        check(!reads(heads[i]), "\"%s\"", heads[i]);
        check(!compact_read_head(heads[i], &head), "\"%s\"", heads[i]);
    }
}

static const char good[] =
    HEAD " r l s t o @/e/f 8080=23456 9000-9010=20000/u 56379=20011~20012 65530-65535=1/t ^/a/b ^/c/d";

/* Reads a text in memory of its own, so that nothing behind its end is read unseen. */
static bool reads_alone(const char *from)
{
    char path[PATH_MAX], *copy = strdup(from);
    bool ok = reads(copy);
    for (unsigned n = 0; compact_outer(copy, n, path); n++)
        check(*path == '/' && n < 100, "%s", path);
    free(copy);
    return ok;
}

TEST("of a text that is cut, what is left of the secret is refused, and of the rest no number is invented")
{
    check(reads_alone(good), "%s", good);
    unsigned all = count;
    for (size_t len = 0; len < sizeof good - 1; len++) {
        memcpy(text, good, len);
        text[len] = '\0';
        bool ok = reads_alone(text);
        check(len >= strlen(HEAD) || !ok, "\"%s\"", text);
        check(count <= all, "\"%s\"", text);
        bool in_number = len > 0 && strchr(" =~/-", text[len - 1]) != NULL;
        bool in_path = strchr(text, '^') != NULL || strrchr(text, '@') > strrchr(text, ' ');
        if (in_number && !in_path)
            check(!ok, "\"%s\"", text);
    }
}

TEST("a text in which characters were changed is refused or says ports, never anything else")
{
    static const char of[] = "0123456789-=~/tur 1\nlso^@a";
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(text, good, sizeof good);
        for (unsigned changes = 1 + below(4); changes > 0; changes--)
            text[below(sizeof good - 1)] = of[below(sizeof of - 1)];
        if (reads_alone(text)) /* take() checks */
            check(strlen(head.secret) == SECRET_SIZE - 1 &&
                      strspn(head.secret, "0123456789abcdef") == SECRET_SIZE - 1,
                  "\"%s\"", head.secret);
    }
}

TEST("any bytes are refused, or are a text")
{
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = below(100), keep = below(2) == 0 ? strlen(HEAD) + 1 : 0;
        memcpy(text, good, keep);
        for (size_t i = 0; i < len; i++)
            text[keep + i] = (char)(1 + below(255));
        text[keep + len] = '\0';
        reads_alone(text);
    }
}
