/* What the programs of a run did: run/sighting.h. */
#include "maps.h"

#include "run/sighting.h"

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
    struct map *map = new_map();
    for (unsigned i = 0; i < NOTED; i++) {
        noted[i] = (struct sighting){.kind = 1 + below(3),
                                     .port = 1 + below(30),
                                     .protocols = below(4),
                                     .program = below(MAP_PROGRAMS + 1)};
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

TEST("when a kind has no room left, others have, and what was noted stays")
{
    struct map *map = new_map();
    for (unsigned port = 1; port < PORT_COUNT && !sighting_is_full(map, SIGHTING_CONNECT); port++)
        sighting_note(map,
                      (struct sighting){.kind = SIGHTING_CONNECT, .port = port, .protocols = PORTMAP_TCP});
    check(sighting_is_full(map, SIGHTING_CONNECT), "there is no end");
    unsigned noted = count_of(map, SIGHTING_CONNECT);
    sighting_note(map, (struct sighting){.kind = SIGHTING_CONNECT, .port = 65535, .protocols = PORTMAP_UDP});
    equal(count_of(map, SIGHTING_CONNECT), noted);
    for (enum sighting_kind kind = SIGHTING_BIND; kind <= SIGHTING_DLMOPEN; kind++) {
        if (kind == SIGHTING_CONNECT)
            continue;
        check(!sighting_is_full(map, kind), "%d", kind);
        sighting_note(map, (struct sighting){.kind = kind, .port = 8080});
        equal(count_of(map, kind), 1);
    }
}

TEST("a program is the same by its device and inode, whatever its name, and has the first one's")
{
    struct map *map = new_map();
    unsigned program = sighting_program(map, 1, 2, "/usr/bin/server");
    check(program < MAP_PROGRAMS, "no room");
    equal(sighting_program(map, 1, 2, "another"), program);
    check(sighting_program(map, 2, 2, "another") != program, "another device");
    check(sighting_program(map, 1, 3, "another") != program, "another file");
    equal_text(sighting_program_name(map, program), "server");
    equal_text(sighting_program_name(map, MAP_PROGRAMS), "a program");
}

TEST("a file that is not known is no program, not even in an empty map")
{
    equal(sighting_program(new_map(), 0, 0, "server"), MAP_PROGRAMS);
}

TEST("a long name ends in dots, and no name is none")
{
    struct map *map = new_map();
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *shown = sighting_program_name(map, sighting_program(map, 1, 2, name));
    size_t len = strlen(shown);
    check(len > 10 && len < sizeof name - 1 && strcmp(shown + len - 3, "...") == 0, "%s", shown);
    equal_text(sighting_program_name(map, sighting_program(map, 1, 3, "/bin/")), "a program");
}

TEST("when there is no room for more programs, those that are known are still found")
{
    struct map *map = new_map();
    for (unsigned i = 0; i < MAP_PROGRAMS; i++)
        equal(sighting_program(map, 1, 100 + i, "server"), i);
    equal(sighting_program(map, 1, 99, "server"), MAP_PROGRAMS);
    equal(sighting_program(map, 1, 100, "server"), 0);
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

TEST("a program that the library does not reach is noted when it is started, one that it reaches is not")
{
    struct map *map = new_map();
    unsigned n = 0;
    sighting_started(map, found(2, PROGRAM_DYNAMIC, "/bin/dynamic"));
    check(sighting_unhookable(map, &n) == NULL && n == 0, "%u", n);
    sighting_started(map, found(3, PROGRAM_STATIC, "/bin/static"));
    const struct map_program *program = sighting_unhookable(map, &n);
    check(program != NULL, "nothing is noted");
    equal_text(program->name, "static");
    equal_text(sighting_obstacle(program)->why, reach_obstacle(PROGRAM_STATIC, false)->why);
    check(sighting_unhookable(map, &n) == NULL, "a second one");
}

TEST("that starting a program gave rights to somebody is an obstacle of its own")
{
    struct map *map = new_map();
    unsigned n = 0;
    found(2, PROGRAM_DYNAMIC, "/bin/su");
    started.is_privileged = true;
    sighting_started(map, &started);
    const struct map_program *program = sighting_unhookable(map, &n);
    check(program != NULL, "nothing is noted");
    equal_text(sighting_obstacle(program)->why, reach_obstacle(PROGRAM_DYNAMIC, true)->why);
}

TEST("programs for which there was no room are noted as one")
{
    struct map *map = new_map();
    unsigned n = 0, count = 0;
    const struct map_program *program, *last = NULL;
    for (unsigned i = 0; i < MAP_PROGRAMS + 10; i++)
        sighting_started(map, found(100 + i, PROGRAM_STATIC, "/bin/static"));
    for (; (program = sighting_unhookable(map, &n)) != NULL; count++)
        if (strcmp(program->name, "a program") == 0)
            last = program;
    equal(count, MAP_PROGRAMS + 1);
    check(last != NULL && sighting_obstacle(last) != NULL, "it is forgotten");
}
