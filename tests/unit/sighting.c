/* What the programs of a run did: run/sighting.h. */
#include "maps.h"

#include "run/sighting.h"

/* How many programs the notes of a map have room for. */
enum {
    PROGRAMS = sizeof((struct map_notes *)NULL)->programs / sizeof(struct map_program),
    MANY_PROGRAMS = sizeof((struct map_large_notes *)NULL)->programs / sizeof(struct map_program),
};

static const struct {
    struct map *(*new_map)(void);
    unsigned programs;
} sizes[] = {{new_map, PROGRAMS}, {new_discovering_map, MANY_PROGRAMS}};

static struct reach started;

/* A program as reach_judge() has found it. */
static const struct reach *found(ino_t inode, enum program_kind kind, const char *path)
{
    memset(&started, 0, sizeof started);
    started.kind = kind;
    started.file.st_dev = 1;
    started.file.st_ino = inode;
    started.path = path;
    return &started;
}

static unsigned count_of(const struct map *map, enum sighting_kind kind)
{
    unsigned count = 0;
    struct sighting s;
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++)
        count += s.kind == kind;
    return count;
}

TEST("what was noted is found, once, however often it was noted")
{
    enum { NOTED = 100 };
    struct sighting noted[NOTED], s;
    unsigned different = 0, n = 0;
    struct map *map = new_discovering_map();
    for (unsigned i = 0; i < NOTED; i++) {
        noted[i] = (struct sighting){.kind = 1 + below(3),
                                     .port = 1 + below(30),
                                     .protocols = below(4),
                                     .program = below(MANY_PROGRAMS + 1)};
        bool again = false;
        for (unsigned k = 0; k < i && !again; k++)
            again = memcmp(&noted[k], &noted[i], sizeof s) == 0;
        different += !again;
        for (unsigned times = 1 + below(3); times > 0; times--)
            sighting_note(map, noted[i]);
    }
    for (; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        unsigned i = 0;
        while (i < NOTED && memcmp(&noted[i], &s, sizeof s) != 0)
            i++;
        check(i < NOTED, "kind %d, port %u, protocols %u, program %u", s.kind, s.port, s.protocols,
              s.program);
    }
    equal(n, different);
}

/* Notes what a kind has room for, and one more. */
static void fill(struct map *map, enum sighting_kind kind)
{
    struct sighting s = {.kind = kind, .protocols = PORTMAP_TCP};
    while (++s.port < PORT_COUNT && !sighting_is_full(map, kind)) {
        s.program = s.port; /* some kinds have no port */
        sighting_note(map, s);
    }
    check(sighting_is_full(map, kind), "there is no end");
    unsigned noted = count_of(map, kind);
    s = (struct sighting){.kind = kind, .port = 65535, .protocols = PORTMAP_UDP};
    sighting_note(map, s);
    equal(count_of(map, kind), noted);
}

TEST("when a kind has no room left, others have, and what was noted stays")
{
    for (unsigned i = 0; i < 2; i++) {
        struct map *map = sizes[i].new_map();
        enum sighting_kind full = i == 0 ? SIGHTING_EXEC : SIGHTING_CONNECT;
        fill(map, full);
        unsigned noted = count_of(map, full);
        check(noted >= 16, "%u", noted);
        for (enum sighting_kind kind = SIGHTING_BIND; kind < SIGHTING_KINDS; kind++) {
            if (kind == full || (i == 0 && kind == SIGHTING_CONNECT))
                continue;
            check(!sighting_is_full(map, kind), "%d", kind);
            sighting_note(map, (struct sighting){.kind = kind, .port = 8080});
            equal(count_of(map, kind), 1);
        }
        equal(count_of(map, full), noted);
    }
}

TEST("many binds leave room for programs and libraries, and are noted up to a number that both sizes have")
{
    for (unsigned i = 0; i < 2; i++) {
        struct map *map = sizes[i].new_map();
        fill(map, SIGHTING_BIND);
        check(count_of(map, SIGHTING_BIND) >= 32, "%u", count_of(map, SIGHTING_BIND));
        check(sighting_is_full(map, SIGHTING_REFUSED), "binds that were refused have places of their own");
        sighting_note(map, (struct sighting){.kind = SIGHTING_EXEC, .program = 1});
        sighting_note(map, (struct sighting){.kind = SIGHTING_DLMOPEN});
        equal(count_of(map, SIGHTING_EXEC), 1);
        equal(count_of(map, SIGHTING_DLMOPEN), 1);
    }
}

TEST("connections are noted only while ports are discovered")
{
    struct map *map = new_map();
    for (unsigned port = 1; port < 1000; port++)
        sighting_note(map, (struct sighting){.kind = SIGHTING_CONNECT, .port = port});
    check(sighting_get(map, 0).kind == SIGHTING_NONE, "noted");
}

TEST("a process that cannot open the notes notes nothing, and reads nothing")
{
    struct map *map = new_map(), without = *map;
    struct map_program program;
    unsigned n = 0;
    without.notes = NULL;
    equal(sighting_program(&without, 1, 2, "/usr/bin/server"), SIGHTING_UNKNOWN);
    equal_text(sighting_program_name(&without, 0).text, "a program");
    struct reach asked = *found(2, PROGRAM_STATIC, "/bin/static");
    sighting_remember(&without, &started);
    check(!sighting_knows(&without, &asked), "it knows");
    sighting_started(&without, &started);
    sighting_note(&without, (struct sighting){.kind = SIGHTING_BIND, .port = 8080});
    equal(sighting_get(&without, 0).kind, SIGHTING_NONE);
    check(!sighting_unhookable(&without, &n, &program), "a program");
    check(sighting_get(map, 0).kind == SIGHTING_NONE, "noted");
}

TEST("a program is the same by its device and inode, whatever its name, and has the first one's")
{
    struct map *map = new_map();
    unsigned program = sighting_program(map, 1, 2, "/usr/bin/server");
    check(program < PROGRAMS, "no room");
    equal(sighting_program(map, 1, 2, "another"), program);
    check(sighting_program(map, 2, 2, "another") != program, "another device");
    check(sighting_program(map, 1, 3, "another") != program, "another file");
    equal_text(sighting_program_name(map, program).text, "server");
    equal_text(sighting_program_name(map, PROGRAMS).text, "a program");
    equal_text(sighting_program_name(map, SIGHTING_UNKNOWN).text, "a program");
}

TEST("a file that is not known is no program, not even in an empty map")
{
    equal(sighting_program(new_map(), 0, 0, "server"), SIGHTING_UNKNOWN);
}

TEST("a long name ends in dots, and no name is none")
{
    struct map *map = new_map();
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct sighting_name shown = sighting_program_name(map, sighting_program(map, 1, 2, name));
    size_t len = strlen(shown.text);
    check(len > 10 && len < sizeof name - 1 && strcmp(shown.text + len - 3, "...") == 0, "%s", shown.text);
    equal_text(sighting_program_name(map, sighting_program(map, 1, 3, "/bin/")).text, "a program");
}

TEST("when there is no room for more programs, those that are known are still found")
{
    for (unsigned size = 0; size < 2; size++) {
        struct map *map = sizes[size].new_map();
        for (unsigned i = 0; i < sizes[size].programs; i++)
            equal(sighting_program(map, 1, 100 + i, "server"), i);
        equal(sighting_program(map, 1, 99, "server"), SIGHTING_UNKNOWN);
        equal(sighting_program(map, 1, 100, "server"), 0);
    }
}

TEST("what a program is, is remembered by its file as it was")
{
    struct map *map = new_map();
    struct reach asked = *found(2, PROGRAM_STATIC, "/bin/static");
    check(!sighting_knows(map, &asked), "nobody has said");
    started.is_capable = true;
    sighting_remember(map, &started);
    sighting_remember(map, found(3, PROGRAM_UNKNOWN, "/bin/unknown"));
    asked = *found(2, PROGRAM_UNKNOWN, NULL);
    check(sighting_knows(map, &asked), "it is forgotten");
    check(asked.kind == PROGRAM_STATIC && asked.is_capable, "%d", asked.kind);
    asked.file.st_ctim.tv_nsec++; /* written again */
    check(!sighting_knows(map, &asked), "another program by now");
    asked = *found(3, PROGRAM_UNKNOWN, NULL);
    check(!sighting_knows(map, &asked), "it was not known what it is");
}

TEST("a program that was seen while it ran is not taken for one that was judged, until it is")
{
    struct map *map = new_map();
    struct map_program program;
    unsigned n = 0;
    struct reach asked = *found(2, PROGRAM_UNKNOWN, NULL);
    unsigned index = sighting_program(map, sighting_device(&asked.file), 2, "/bin/static");
    check(!sighting_knows(map, &asked), "it is known");
    sighting_note(map, (struct sighting){.kind = SIGHTING_TRAPPED, .program = index});
    check(sighting_hooked_by_trap(map, &n, &program), "it is not noted");
    check(*sighting_obstacle(&program)->why != '\0', "no reason");
    sighting_remember(map, found(2, PROGRAM_STATIC, "/bin/static"));
    check(sighting_knows(map, &asked) && asked.kind == PROGRAM_STATIC, "%d", asked.kind);
    equal(sighting_program(map, sighting_device(&asked.file), 2, "/bin/static"), index);
    check(sighting_knows(map, &asked), "it is forgotten");
}

TEST("a program that the library does not reach is noted when it is started, one that it reaches is not")
{
    struct map *map = new_map();
    struct map_program program;
    unsigned n = 0;
    sighting_started(map, found(2, PROGRAM_DYNAMIC, "/bin/dynamic"));
    check(!sighting_unhookable(map, &n, &program) && n == 0, "%u", n);
    check(!atomic_load(&map->notes->unreached), "it is reached");
    sighting_started(map, found(3, PROGRAM_STATIC, "/bin/static"));
    check(sighting_unhookable(map, &n, &program), "nothing is noted");
    equal_text(program.name, "static");
    equal_text(sighting_obstacle(&program)->why, reach_obstacle(PROGRAM_STATIC, false)->why);
    check(!sighting_unhookable(map, &n, &program), "a second one");
    check(atomic_load(&map->notes->unreached), "what it starts may join");
}

TEST("a program under the trap is noted as such, and that it was started without it, with the reason")
{
    struct map *map = new_map();
    struct map_program program;
    unsigned n = 0;
    sighting_trapped(map, found(2, PROGRAM_GO, "/bin/server"));
    check(!atomic_load(&map->notes->unreached), "its supervisor holds the run");
    check(!sighting_unhookable(map, &n, &program), "it is noted as not wrapped");
    n = 0;
    check(sighting_hooked_by_trap(map, &n, &program), "nothing is noted");
    equal_text(program.name, "server");
    equal(sighting_way(map, &found(2, PROGRAM_UNKNOWN, NULL)->file), WAY_TRAP);
    equal(sighting_way(map, &found(3, PROGRAM_UNKNOWN, NULL)->file), WAY_LIBRARY);
    check(!sighting_hooked_by_trap(map, &n, &program), "a second one");
    for (enum untrapped reason = UNTRAPPED_UNSAID; reason < UNTRAPPED_KINDS; reason++) {
        check(sighting_untrapped(map, found(3 + reason, PROGRAM_STATIC, "/bin/other"), reason), "not new");
        bool is_there = false, in_part = false;
        for (n = 0; !is_there && sighting_unhookable(map, &n, &program);)
            is_there = sighting_trap_obstacle(&program, &in_part) == untrapped_obstacle(reason);
        check(is_there, "reason %u", reason);
        equal(in_part, reason == UNTRAPPED_ELSEWHERE || reason == UNTRAPPED_UNREADABLE);
        equal(sighting_way(map, &started.file), in_part ? WAY_LIBRARY : WAY_NONE);
        equal_text(sighting_obstacle(&program)->why, reach_obstacle(PROGRAM_STATIC, false)->why);
    }
    check(atomic_load(&map->notes->unreached), "what it starts may join");
    for (enum untrapped reason = UNTRAPPED_OFF; reason < UNTRAPPED_KINDS; reason++)
        check(*untrapped_obstacle(reason)->why_in_full != '\0' && *untrapped_obstacle(reason)->remedy != '\0',
              "reason %u has no text", reason);
    check(untrapped_obstacle(UNTRAPPED_UNSAID) == NULL, "it says something");
}

TEST("that starting a program gave rights to somebody is an obstacle of its own")
{
    struct map *map = new_map();
    struct map_program program;
    unsigned n = 0;
    found(2, PROGRAM_DYNAMIC, "/bin/su");
    started.is_privileged = true;
    sighting_started(map, &started);
    check(sighting_unhookable(map, &n, &program), "nothing is noted");
    equal_text(sighting_obstacle(&program)->why, reach_obstacle(PROGRAM_DYNAMIC, true)->why);
}

TEST("programs for which there was no room are noted as one")
{
    for (unsigned size = 0; size < 2; size++) {
        struct map *map = sizes[size].new_map();
        unsigned n = 0, count = 0, unknown = 0;
        struct map_program program;
        for (unsigned i = 0; i < sizes[size].programs + 10; i++)
            sighting_started(map, found(100 + i, PROGRAM_STATIC, "/bin/static"));
        for (; sighting_unhookable(map, &n, &program); count++)
            if (strcmp(program.name, "a program") == 0) {
                check(sighting_obstacle(&program) != NULL, "it is forgotten");
                unknown++;
            }
        equal(count, sizes[size].programs + 1);
        equal(unknown, 1);
    }
}

static void fill_notes(struct map *map)
{
    size_t size = map->head->discover ? sizeof *map->large_notes : sizeof *map->notes;
    unsigned of = below(2) == 0 ? 256 : 2 + below(254);
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)map->notes)[i] = (unsigned char)(below(of) + 256 - of);
}

TEST("whatever is in the notes, what is read from them has kinds, protocols and names that there are")
{
    for (unsigned round = 0; round < 200; round++) {
        struct map *map = sizes[round % 2].new_map();
        struct sighting s;
        struct map_program program;
        unsigned n = 0, seen = 0;
        fill_notes(map);
        for (; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
            check(s.kind > SIGHTING_NONE && s.kind < SIGHTING_KINDS, "%d", s.kind);
            check(s.port < PORT_COUNT && s.protocols <= PORTMAP_BOTH, "%u, %u", s.port, s.protocols);
            check(s.port == 0 || s.kind <= SIGHTING_CONNECT, "kind %d has port %u", s.kind, s.port);
            check(s.reason == 0 || (s.kind == SIGHTING_EXEC && s.reason < UNTRAPPED_KINDS), "kind %d, reason %u", s.kind, s.reason);
            struct sighting_name name = sighting_program_name(map, s.program);
            check(strnlen(name.text, sizeof name.text) < sizeof name.text, "without an end");
        }
        for (unsigned i = 0; i < sizes[round % 2].programs + 2; i++) {
            struct sighting_name name = sighting_program_name(map, i);
            check(strnlen(name.text, sizeof name.text) < sizeof name.text, "without an end");
        }
        for (n = 0; sighting_unhookable(map, &n, &program); seen++) {
            check(strnlen(program.name, sizeof program.name) < sizeof program.name, "without an end");
            check(sighting_obstacle(&program) != NULL && *sighting_obstacle(&program)->why != '\0', "why");
            bool in_part;
            const struct obstacle *untrapped = sighting_trap_obstacle(&program, &in_part);
            check(untrapped == NULL || *untrapped->why != '\0', "why not trapped");
        }
        for (ino_t inode = 0; inode < 4; inode++) {
            struct reach asked = *found(inode, PROGRAM_UNKNOWN, "/bin/any");
            sighting_knows(map, &asked);
            sighting_remember(map, found(inode, PROGRAM_STATIC, "/bin/any"));
            sighting_started(map, &started);
            sighting_trapped(map, &started);
        }
        for (enum sighting_kind kind = SIGHTING_BIND; kind < SIGHTING_KINDS; kind++) {
            sighting_note(map, (struct sighting){.kind = kind, .port = 8080});
            sighting_is_full(map, kind);
        }
        drop_map(map);
    }
}

TEST("a name without an end is as long as its place, and no longer")
{
    for (unsigned size = 0; size < 2; size++) {
        struct map *map = sizes[size].new_map();
        for (unsigned i = 0; i < sizes[size].programs; i++) {
            equal(sighting_program(map, 1, 2 + i, "server"), i);
            struct map_program *there = size == 0 ? &map->notes->programs[i] : &map->large_notes->programs[i];
            memset(there->name, 'a' + (int)(i % 26), sizeof there->name);
        }
        for (unsigned i = 0; i < sizes[size].programs; i++) {
            struct sighting_name name = sighting_program_name(map, i);
            equal(strlen(name.text), sizeof((struct map_program *)NULL)->name);
            equal(strspn(name.text, (char[]){(char)('a' + i % 26), '\0'}), strlen(name.text));
        }
    }
}

TEST("a kind of program that is not known is an obstacle that can be explained")
{
    struct map *map = new_map();
    struct map_program program;
    unsigned n = 0;
    sighting_started(map, found(3, PROGRAM_STATIC, "/bin/static"));
    for (unsigned kind = 0; kind < 1024; kind++) {
        atomic_store(&map->notes->programs[0].kind, kind | (unsigned)below(1 << 20) << 10);
        check(sighting_unhookable(map, (n = 0, &n), &program), "it is gone");
        check(*sighting_obstacle(&program)->why != '\0', "%u", kind);
    }
}
