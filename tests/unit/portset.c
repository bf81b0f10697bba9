/* Port specifications: run/portset.h. */
#include "specs.h"

#include "error.h"

#include <regex.h>

static struct portset set;
static struct problem problem;

static int read_spec(const char *spec)
{
    memset(&set, 0, sizeof set);
    return portset_add(&set, spec, &problem);
}

TEST("a random specification means what its items say")
{
    for (unsigned round = 0; round < 60; round++) {
        struct spec spec;
        random_spec(&spec);
        int error = read_spec(spec.text);
        check(error == 0, "%d for %s: %s: %s", error, spec.text, problem.what, problem.why);
        check_set(&set, &spec);
    }
}

/* What the functions that go by words must agree with. */
static void check_range(unsigned first, unsigned last)
{
    struct portbits added = {0}, removed;
    portbits_add_range(&added, first, last);
    memset(&removed, 0xff, sizeof removed);
    portbits_remove_range(&removed, first, last);
    for (unsigned port = 0; port < PORT_COUNT; port++) {
        bool inside = port >= first && port <= last;
        check(portbits_has(&added, port) == inside && portbits_has(&removed, port) == !inside,
              "%u of %u-%u", port, first, last);
    }
}

TEST("a range has its ends and all between, at the edges of words, and none when it runs backwards")
{
    static const unsigned edges[] = {0, 1, 62, 63, 64, 65, 127, 128, 65471, 65472, 65534, 65535};
    for (unsigned i = 0; i < sizeof edges / sizeof *edges; i++)
        for (unsigned k = 0; k < sizeof edges / sizeof *edges; k++)
            check_range(edges[i], edges[k]);
    for (unsigned round = 0; round < 60; round++)
        check_range(below(PORT_COUNT), below(PORT_COUNT));
}

TEST("the next port of a set is the lowest one above")
{
    for (unsigned round = 0; round < 60; round++) {
        struct portbits some = {0};
        for (unsigned count = below(100); count > 0; count--)
            portbits_add(&some, below(4) == 0 ? PORT_COUNT - 1 - below(3) : 1 + below(PORT_COUNT - 1));
        unsigned port = 0;
        for (unsigned other = 1; other < PORT_COUNT; other++) {
            if (!portbits_has(&some, other))
                continue;
            port = portbits_next(&some, port);
            equal(port, other);
        }
        equal(portbits_next(&some, port), 0);
        equal(portbits_next(&some, PORT_COUNT - 1), 0);
    }
}

TEST("the placeholders of a specification come in ascending order")
{
    for (unsigned round = 0; round < 60; round++) {
        struct spec spec;
        random_spec(&spec);
        equal(read_spec(spec.text), 0);
        unsigned listed = 0, any = 0;
        for (unsigned port = 1; port < PORT_COUNT; port++) {
            if (portset_listed(&set, port) != 0)
                equal(listed = portset_next_listed(&set, listed), port);
            if ((portset_listed(&set, port) | portset_all(&set, port)) != 0)
                equal(any = portset_next(&set, any), port);
        }
        equal(portset_next_listed(&set, listed), 0);
        equal(portset_next(&set, any), 0);
    }
}

TEST("specifications that are added one by one are the same as one list of them")
{
    static struct portset one_by_one;
    for (unsigned round = 0; round < 60; round++) {
        struct spec spec;
        random_spec(&spec);
        equal(read_spec(spec.text), 0);
        memset(&one_by_one, 0, sizeof one_by_one);
        for (unsigned i = 0; i < spec.count; i++) {
            char item[64];
            struct text t = text_in(item, sizeof item);
            write_item(&t, &spec.items[i]);
            equal(portset_add(&one_by_one, item, &problem), 0);
        }
        check(memcmp(&set, &one_by_one, sizeof set) == 0, "%s", spec.text);
    }
}

static regex_t grammar;

/* The numbers of a word that is in the grammar: they are ports, and say what one placeholder alone may. */
static bool makes_sense(const char *word)
{
    unsigned long first = 1, last = 1, real = 1;
    char *at;
    const char *equals = strchr(word, '=');
    bool all = strstr(word, "all") != NULL;
    if (!all) {
        first = last = strtoul(word + strspn(word, " !"), &at, 10);
        if (*at == '-')
            last = strtoul(at + 1, NULL, 10);
    }
    if (equals != NULL)
        real = strtoul(equals + 1, NULL, 10);
    if (equals != NULL && (all || strchr(word, '!') != NULL || first != last))
        return false;
    return first >= 1 && last >= first && last < PORT_COUNT && real >= 1 && real < PORT_COUNT;
}

TEST("a word is refused unless it is in the grammar, and the words about it are whole")
{
    static const char *const pieces[] = {"!", "all",  "80",   "8080", "65535", "65536", "0",
                                         "-", "/tcp", "/udp", "/tcp", "/",     "=",     "=81",
                                         " ", "x",    "+",    "\t",   "00090"};
    equal(regcomp(&grammar, "^ *!?(all|[0-9]+(-[0-9]+)?)((/tcp|/udp)(=[0-9]+)?|=[0-9]+(/tcp|/udp)?)? *$",
                  REG_EXTENDED | REG_NOSUB),
          0);
    unsigned accepted = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char word[128];
        struct text t = text_in(word, sizeof word);
        for (unsigned i = 1 + below(5); i > 0; i--)
            text_str(&t, pieces[below(sizeof pieces / sizeof *pieces)]);
        bool good = regexec(&grammar, word, 0, NULL, 0) == 0 && makes_sense(word);
        int error = read_spec(word);
        check(error == (good ? 0 : PORTMAP_ESYNTAX), "%d for \"%s\": %s", error, word, problem.why);
        check(good || (*problem.why != '\0' && *problem.remedy != '\0' && strstr(word, problem.what) != NULL),
              "%s: \"%s\": %s: %s", word, problem.what, problem.why, problem.remedy);
        accepted += good;
    }
    check(accepted > 500, "%u", accepted);
}

TEST("a placeholder has one real port and a real port one placeholder, 1000 in all")
{
    char item[32];
    equal(read_spec("80=1080,80=1080"), 0);
    equal(set.fixed_count, 1);
    equal(read_spec("80=1080,80=1081"), PORTMAP_ESYNTAX);
    equal_text(problem.what, "80=1081");
    equal(read_spec("80=1080,81=1080"), PORTMAP_ESYNTAX);
    equal_text(problem.what, "81=1080");
    memset(&set, 0, sizeof set);
    for (unsigned i = 1; i <= PORTSET_START + 1; i++) {
        snprintf(item, sizeof item, "%u=%u", i, i + 20000);
        equal(portset_add(&set, item, &problem), i <= PORTSET_START ? 0 : PORTMAP_ETOOMANY);
    }
    equal(portset_fixed(&set, PORTSET_START), PORTSET_START + 20000);
    equal(portset_fixed(&set, PORTSET_START + 1), 0);
}

TEST("the first are those with a given real port, then the lowest others, and no more than asked for")
{
    for (unsigned round = 0; round < 60; round++) {
        static struct portbits first;
        struct spec spec;
        unsigned most = below(40), given = 0, count = 0, next = 0;
        random_spec(&spec);
        equal(read_spec(spec.text), 0);
        portset_first(&set, most, &first);
        for (unsigned port = 1; port < PORT_COUNT; port++) {
            bool is_given = portset_listed(&set, port) != 0 && portset_fixed(&set, port) != 0;
            bool is_first = portbits_has(&first, port);
            check(!is_given || is_first, "%u in %s", port, spec.text);
            check(!is_first || portset_listed(&set, port) != 0, "%u in %s", port, spec.text);
            if (portset_listed(&set, port) != 0 && !is_first && next == 0)
                next = port; /* the lowest that was left out */
            check(!is_first || is_given || next == 0, "%u before %u in %s", next, port, spec.text);
            given += is_given;
            count += is_first;
        }
        unsigned listed = portset_count(&set), wanted = most < listed ? most : listed;
        equal(count, given > wanted ? given : wanted);
    }
}
