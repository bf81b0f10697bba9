/* A run's assignments as one process sees them: rules/view.h. */
#include "maps.h"

#include "rules/view.h"
#include "run/compact.h"

static struct view view, other;
static struct pair pairs[PAIRS];

static unsigned there(const struct view *of, unsigned port)
{
    return map_entry_port(view_to_kernel(of, port, VIEW_REACH).entry);
}

static unsigned back(const struct view *of, unsigned port)
{
    return map_entry_port(view_to_program(of, port));
}

static void check_one_to_one(const struct view *of)
{
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        unsigned real = there(of, port), called = back(of, port);
        check(real == 0 || back(of, real) == port, "%u goes to %u, which comes back as %u", port, real,
              back(of, real));
        check(called == 0 || there(of, called) == port, "%u is called %u, which goes to %u", port, called,
              there(of, called));
    }
}

static void add(struct view *to, struct map *map)
{
    check(view_add_map(to, map), "the view is full");
}

TEST("what a program calls P goes to one port of the kernel's, which comes back as P")
{
    for (unsigned round = 0; round < 20; round++) {
        struct map *map = new_map();
        memset(&view, 0, sizeof view);
        assign_pairs(map, pairs);
        add(&view, map);
        check_one_to_one(&view);
        for (unsigned i = 0; i < PAIRS; i++) {
            equal(there(&view, pairs[i].placeholder), pairs[i].real);
            equal(map_entry_protocols(view_to_program(&view, pairs[i].real)), pairs[i].protocols);
            if (pairs[i].alias != 0)
                equal(back(&view, pairs[i].placeholder), pairs[i].alias);
        }
        drop_map(map);
    }
}

TEST("so it is while placeholders are added, taken back and given aliases, in any order")
{
    enum { FEW = 100 };
    struct map *map = below(2) == 0 ? new_map() : new_late_map();
    add(&view, map);
    for (unsigned step = 0; step < 3000; step++) {
        unsigned port = EPHEMERAL_FIRST - FEW / 2 + below(FEW), real = EPHEMERAL_FIRST - FEW / 2 + below(FEW);
        bool is_real = back(&view, real) != 0 && map_real(map, back(&view, real)) == real;
        if (map_real(map, port) != 0 && below(2) == 0)
            take_back(map, port);
        else if (map_real(map, port) != 0)
            map_enter_alias(map, port, real, 0);
        else if (!is_real)
            assign(map, port, real, PORTMAP_BOTH);
        for (unsigned p = EPHEMERAL_FIRST - FEW; p < EPHEMERAL_FIRST + FEW; p++) {
            check(there(&view, p) == 0 || back(&view, there(&view, p)) == p, "%u after %u steps", p, step);
            check(back(&view, p) == 0 || there(&view, back(&view, p)) == p, "%u after %u steps", p, step);
        }
    }
}

TEST("so it is while late placeholders get ports, others and aliases, beside those that were copied")
{
    enum { FEW = 200, FIRST = EPHEMERAL_FIRST - FEW / 2 };
    for (unsigned round = 0; round < 20; round++) {
        struct map *map = new_late_map();
        uint16_t numbers[FEW];
        memset(&view, 0, sizeof view);
        shuffle(numbers, FIRST, FIRST + FEW - 1);
        for (unsigned i = 0; i < 30; i++)
            assign(map, numbers[i], numbers[FEW - 1 - i], 1 + below(3));
        for (unsigned i = 0; i < 15; i++)
            map_enter_alias(map, numbers[i], numbers[FEW - 31 - i], 0);
        for (unsigned i = 30; i < 100; i++)
            list_late(map, numbers[i], 1 + below(3), below(2) == 0 ? BY_NUMBER : BY_ALL);
        add(&view, map);
        for (unsigned step = 0; step < 500; step++) {
            unsigned port = numbers[30 + below(70)], number = numbers[below(FEW)];
            uint32_t entry = view_to_kernel(&view, port, VIEW_BIND).entry;
            bool is_new = entry == 0 || (below(4) == 0 && !(entry & (MAP_ALIAS | MAP_USED)));
            switch (below(6)) {
            case 0:
                if (is_new && back(&view, number) == 0)
                    enter_leased(map, port, number, &entry);
                break;
            case 1:
                if (is_new && back(&view, number) == 0)
                    map_choose_late(map, port, number, &entry);
                break;
            case 2:
                if (back(&view, number) == 0 && there(&view, number) == 0 &&
                    map_late_protocols(map, number) == 0)
                    put_in_stock(map, number);
                break;
            case 3:
                if (is_new && map_take_late(map, port, &entry) && below(2) == 0)
                    map_share_late(map, port);
                break;
            case 4: /* one that a command adds: with other numbers than placeholders and real ports have */
                port = numbers[100 + below(FEW - 100)];
                if (map_protocols(map, port) == 0 && view.to_kernel[port] == 0 &&
                    view.to_program[number] == 0 &&
                    (back(&view, number) == 0 || map_real(map, back(&view, number)) != number))
                    assign(map, port, number, PORTMAP_BOTH);
                break;
            default:
                if (map_real(map, port) != 0)
                    map_alias_late(map, port);
            }
        }
        check_one_to_one(&view);
        drop_map(map);
    }
}

TEST("who cannot open the map sees the same by the compact text")
{
    static char text[COMPACT_SIZE];
    struct map *map = new_map();
    struct compact compact;
    let_reveal(map);
    assign_pairs(map, pairs);
    add(&view, map);
    check(
        compact_write(map, "0123456789abcdef0123456789abcdef", &(struct compact_trap){0}, text, sizeof text),
        "it does not fit");
    check(compact_read_head(text, &compact) && compact_read(text, view_assign, &other), "%s", text);
    check(other.active && compact.reveal && view.reveal, "the view is not in use, or does not reveal");
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        equal(view_to_kernel(&other, port, VIEW_BIND).entry, view_to_kernel(&view, port, VIEW_BIND).entry);
        equal(view_to_program(&other, port), view_to_program(&view, port));
    }
}

TEST("a map that has more than what was copied is asked for it, and no other")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    add(&view, map);
    check(!map_grows(map) && !view_asks(&view, 0), "it has no more");
    take_back(map, 8080); /* which is for placeholders that nobody has copied */
    equal(there(&view, 8080), 20000);
    equal(back(&view, 20000), 8080);
    equal(there(&view, 9090), 0);
    assign(map, 9090, 20001, PORTMAP_BOTH);
    check(map_grows(map) && view_asks(&view, 0), "it has more");
    equal(there(&view, 9090), 20001);
    equal(back(&view, 20001), 9090);
    equal(there(&view, 8080), 20000);
}

TEST("what was taken back before a process attached is not copied, nor found by asking")
{
    struct map *map = new_map();
    assign(map, 8080, 20000, PORTMAP_BOTH);
    assign(map, EPHEMERAL_FIRST, 20001, PORTMAP_BOTH);
    check(map_enter_alias(map, EPHEMERAL_FIRST, 20002, 0), "no alias");
    take_back(map, 8080);
    take_back(map, EPHEMERAL_FIRST);
    add(&view, map);
    assign(map, 9090, 20003, PORTMAP_BOTH); /* now it is asked */
    static const unsigned gone[] = {0, 8080, 20000, EPHEMERAL_FIRST, 20001, 20002};
    for (unsigned i = 0; i < sizeof gone / sizeof *gone; i++)
        check(there(&view, gone[i]) == 0 && back(&view, gone[i]) == 0, "%u", gone[i]);
    equal(there(&view, 9090), 20003);
}

TEST("an assignment that was copied is passed over in the map, whose numbers still count when a late one is "
     "made")
{
    struct map *map = new_late_map();
    uint32_t entry = 0;
    assign(map, 8080, EPHEMERAL_FIRST, PORTMAP_BOTH);
    assign(map, EPHEMERAL_LAST, 20000, PORTMAP_BOTH);
    assign(map, EPHEMERAL_LAST - 1, 20002, PORTMAP_BOTH);
    check(map_enter_alias(map, EPHEMERAL_LAST - 1, 20001, 0), "no alias");
    list_late(map, 9090, PORTMAP_BOTH, BY_NUMBER);
    list_late(map, EPHEMERAL_FIRST, PORTMAP_BOTH, BY_NUMBER);
    add(&view, map);
    equal(map_to_kernel(map, 8080), 0);
    equal(map_to_program(map, EPHEMERAL_FIRST), 0);
    static const unsigned known[] = {EPHEMERAL_FIRST, EPHEMERAL_LAST, EPHEMERAL_LAST - 1,
                                     20000,           20001,          20002};
    set_ephemeral(map, 20000, EPHEMERAL_LAST);
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        check(!map_choose_late(map, 9090, known[i], &entry) && entry == 0, "%u", known[i]);
    check(!enter_leased(map, 9090, 20000, &entry) && entry == 0, "it is a real port");
    check(!map_enter_alias(map, EPHEMERAL_FIRST, 20001, 0), "it is an alias");
    check(!map_enter_alias(map, EPHEMERAL_FIRST, 20003, 0), "the placeholder's number is a real port");
    check(put_in_stock(map, 20003) && map_alias_late(map, EPHEMERAL_FIRST), "the stock is empty");
    check(map_stock(map, 0) == 20003, "it has been used for an alias of a real port");
    check_one_to_one(&view);
}

TEST("a late placeholder may be assigned when it is bound, and reached when it was listed by number")
{
    static const struct {
        unsigned port;
        enum listing how;
        bool reached;
    } late[] = {
        {8080, BY_NUMBER, true}, {8081, BY_ALL, false}, {40000, BY_NUMBER, false}, {40001, BY_ALL, false}};
    struct map *map = new_late_map();
    add(&view, map);
    for (unsigned i = 0; i < 4; i++) {
        unsigned port = late[i].port;
        uint32_t entry = 0;
        list_late(map, port, PORTMAP_TCP, late[i].how);
        check(view_to_kernel(&view, port, VIEW_BIND).map == map, "%u", port);
        check((view_to_kernel(&view, port, VIEW_REACH).map == map) == late[i].reached, "%u", port);
        equal(view_to_kernel(&view, port, VIEW_BIND).entry, 0);
        check(enter_leased(map, port, 20000 + i, &entry), "%u", port);
        equal(there(&view, port), 20000 + i);
        equal(back(&view, 20000 + i), port);
    }
}

TEST(
    "in a run inside another one a port means what the inner one says, and otherwise what the outer one does")
{
    struct map *inner = new_map(), *outer = new_map();
    assign(inner, 8080, 20000, PORTMAP_BOTH);
    assign(outer, 8080, 20001, PORTMAP_BOTH);
    assign(outer, 9090, 20002, PORTMAP_BOTH);
    add(&view, inner);
    add(&view, outer);
    equal(there(&view, 8080), 20000);
    equal(there(&view, 9090), 20002);
    equal(back(&view, 20000), 8080);
    equal(back(&view, 20001), 0);
    equal(back(&view, 20002), 9090);
    check(view_is_real_around(&view, inner, 20002), "20002 is the outer one's");
    check(!view_is_real_around(&view, inner, 20000) && !view_is_real_around(&view, outer, 20002),
          "nothing is around");
}

TEST("an alias that the outer run has means nothing where the inner one has another name for its number")
{
    struct map *inner = new_map(), *outer = new_map();
    assign(outer, EPHEMERAL_FIRST, 20000, PORTMAP_BOTH);
    check(map_enter_alias(outer, EPHEMERAL_FIRST, 20001, 0), "no alias");
    add(&view, inner);
    add(&view, outer);
    equal(there(&view, 20001), EPHEMERAL_FIRST);
    check(!view_is_real_around(&view, inner, EPHEMERAL_FIRST), "an alias is no real port");
    assign(inner, 8080, EPHEMERAL_FIRST, PORTMAP_BOTH);
    equal(there(&view, 20001), 0);
    equal(back(&view, EPHEMERAL_FIRST), 8080);
}

TEST("what maps of runs inside each other say is one-to-one, however they overlap")
{
    for (unsigned round = 0; round < 10; round++) {
        struct map *inner = new_map(), *outer = new_map();
        memset(&view, 0, sizeof view);
        assign_pairs(inner, pairs);
        assign_pairs(outer, pairs);
        add(&view, inner);
        add(&view, outer);
        for (unsigned port = 1; port < PORT_COUNT; port++)
            check(back(&view, port) == 0 || there(&view, back(&view, port)) == port, "%u is called %u", port,
                  back(&view, port));
        drop_map(inner);
        drop_map(outer);
    }
}

TEST("the innermost map says whether ports are revealed and whether all are discovered")
{
    struct map *inner = new_map(), *outer = new_discovering_map();
    let_reveal(inner);
    add(&view, inner);
    add(&view, outer);
    check(view.active && view.reveal && !view.discover, "%d %d %d", view.active, view.reveal, view.discover);
}

TEST("a view that is full takes no more maps, and one that was dropped has none")
{
    for (unsigned i = 0; i < VIEW_MAPS - 1; i++)
        add(&view, new_map());
    check(!view_add_map(&view, new_map()), "one more");
    view_drop(&view);
    check(!view.active && view.map[0] == NULL, "still there");
}

TEST("that a placeholder was bound is noted in each run that has the same assignment")
{
    struct map *inner = new_map(), *same = new_map(), *different = new_map();
    assign(inner, 8080, 20000, PORTMAP_BOTH);
    assign(same, 8080, 20000, PORTMAP_BOTH);
    assign(different, 8080, 20001, PORTMAP_BOTH);
    add(&view, inner);
    add(&view, same);
    add(&view, different);
    view_note_bound(&view, 8080);
    view_note_bound(&view, 9090);
    check(map_was_bound(inner, 8080) && map_was_bound(same, 8080), "it is not");
    check(!map_was_bound(different, 8080) && !map_was_bound(inner, 9090), "where it is not");
}

TEST("that a program is executed is noted in every run around")
{
    struct map *inner = new_map(), *outer = new_map();
    add(&view, inner);
    add(&view, outer);
    check(!atomic_load(&inner->notes->execs) && !atomic_load(&outer->notes->execs), "nothing was executed");
    view_note_exec(&view);
    check(atomic_load(&inner->notes->execs) && atomic_load(&outer->notes->execs), "it is not noted");
    check(!atomic_load(&inner->notes->unreached), "it joins");
}

TEST("a process that cannot open the notes of a run translates as others do, and notes nothing")
{
    struct map *whole = new_late_map(), map = *whole;
    uint32_t entry = 0;
    map.notes = NULL;
    assign(&map, 8080, 20000, PORTMAP_BOTH);
    list_late(&map, 9090, PORTMAP_BOTH, BY_NUMBER);
    add(&view, &map);
    check(enter_leased(&map, 9090, 20001, &entry), "it is not assigned");
    equal(there(&view, 8080), 20000);
    equal(back(&view, 20001), 9090);
    view_note_bound(&view, 9090);
    view_note_exec(&view);
    view_wake(&view);
    view_log(&view, MAP_EVENT_LATE, 9090, 20001, 0);
    check(map_was_bound(whole, 9090), "the late tables can tell that");
    equal(map_log_next(whole), 0);
    map.late = NULL; /* as they are in another mount namespace */
    equal(there(&view, 9090), 0);
    equal(there(&view, 8080), 20000);
    view_note_bound(&view, 8080);
    check(!map_was_bound(&map, 8080) && !map_any_bound(&map), "nobody can have noted it");
}

TEST("who waits for a port of any run around is woken, and what happens is logged in the innermost for the "
     "process")
{
    struct map *inner = new_map(), *outer = new_map();
    add(&view, inner);
    add(&view, outer);
    view.pid = 4711;
    uint32_t before = map_generation(outer);
    view_wake(&view);
    equal(map_generation(inner), before + 1);
    equal(map_generation(outer), before + 1);
    view_log(&view, MAP_EVENT_LATE, 8080, 20000, 0);
    equal(newest(inner).pid, 4711);
    equal(newest(inner).placeholder, 8080);
    equal(newest(outer).event, MAP_EVENT_NONE);
}
