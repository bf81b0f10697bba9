/* The record of ended runs: run/ended.h. */
#include "places.h"

#include "run/ended.h"
#include "run/sighting.h"

#include <sys/stat.h>
#include <sys/wait.h>

static struct home home;
static struct ended records[ENDED_RECORDS];

static void begin(void)
{
    enter_new_directory();
    home = new_home("home");
}

static struct ended record_of(uint64_t run_id, enum ended_how how, uint64_t date, int status)
{
    return (struct ended){.run_id = run_id, .how = how, .date = date, .made = run_id, .status = status};
}

static void write_one(uint64_t run_id, enum ended_how how, uint64_t date, int status)
{
    struct ended record = record_of(run_id, how, date, status);
    check(ended_write(&home, &record), "not written");
}

TEST("the last records are kept, and that of the run made last comes first")
{
    begin();
    equal(ended_read(&home, records), 0);
    for (unsigned i = 1; i <= ENDED_RECORDS + 10; i++)
        write_one(i, ENDED_FOUND, 1000 + i, ENDED_NO_STATUS);
    equal(ended_read(&home, records), ENDED_RECORDS);
    equal(records[0].run_id, ENDED_RECORDS + 10);
    equal(records[ENDED_RECORDS - 1].run_id, 11);
}

TEST("a run is recorded once, by the more exact record")
{
    begin();
    write_one(1, ENDED_FOUND, 1000, ENDED_NO_STATUS);
    write_one(1, ENDED_FOUND, 2000, ENDED_NO_STATUS);
    equal(ended_read(&home, records), 1);
    equal(records[0].date, 1000);
    write_one(1, ENDED_EXACTLY, 900, 3 << 8);
    write_one(1, ENDED_FOUND, 3000, ENDED_NO_STATUS);
    write_one(1, ENDED_COMMAND, 3000, 0);
    equal(ended_read(&home, records), 1);
    equal(records[0].date, 900);
    equal(records[0].status, 3 << 8);
    write_one(2, ENDED_COMMAND, 5000, 0);
    write_one(2, ENDED_FOUND, 6000, ENDED_NO_STATUS);
    write_one(2, ENDED_FOUND, 7000, ENDED_NO_STATUS);
    equal(ended_read(&home, records), 2); /* that of run 2 first */
    equal(records[0].date, 5000);
    equal(records[0].found, 6000);
    equal(records[0].how, ENDED_COMMAND);
}

TEST("attempts to make the same run are one record, the latest")
{
    begin();
    struct ended attempt;
    for (unsigned i = 0; i < 5; i++) {
        ended_unmade(&attempt, "web", NULL, "server --port 8080");
        attempt.how = ENDED_EXACTLY;
        attempt.date = 1000 + i;
        attempt.made = 1000 + i;
        check(ended_write(&home, &attempt), "not written");
    }
    equal(ended_read(&home, records), 1);
    equal(records[0].date, 1004);
    equal_text(records[0].command, "server --port 8080");
    check(ended_is_unmade(&records[0]), "it has a run");
}

TEST("many writers at once lose nothing")
{
    enum { WRITERS = 8, EACH = 25 };
    begin();
    for (unsigned w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            for (unsigned i = 1; i <= EACH; i++) {
                struct ended record = record_of(w * 1000 + i, ENDED_FOUND, i, ENDED_NO_STATUS);
                while (!ended_write(&home, &record)) /* waits for the lock for a moment only */
                    usleep(1000);
            }
            _exit(0);
        }
    for (int status; wait(&status) > 0;)
        equal(status, 0);
    equal(ended_read(&home, records), WRITERS * EACH);
}

TEST("what a map says of its run is described, and long words are cut")
{
    begin();
    struct map *map = new_run(&home);
    char long_command[1000];
    memset(long_command, 'x', sizeof long_command - 1);
    long_command[sizeof long_command - 1] = '\0';
    add_text(map, TEXT_COMMAND, long_command);
    add_text(map, TEXT_NAME, "web");
    add_text(map, TEXT_FILE, "/tmp/web.json");
    unsigned program = sighting_program(map, 1, 2, "server");
    for (unsigned port = 1; port <= ENDED_PORTS + 1; port++)
        sighting_note(map, (struct sighting){.kind = SIGHTING_BIND, .port = port, .program = program});
    struct ended ended;
    ended_describe(&ended, map);
    equal(ended.run_id, map->head->run_id);
    equal_text(ended.name, "web");
    equal(ended.files[0], ended_file("/tmp/web.json"));
    equal(ended.files[1], 0);
    equal(strlen(ended.command), sizeof ended.command - 1);
    equal_text(ended.command + sizeof ended.command - 4, "...");
    check(ended.has_more && ended.ports[ENDED_PORTS - 1].port != 0 && ended.ports[0].bound, "ports");
    equal_text(ended.ports[0].program, "server");
}

TEST("whatever bytes the file has, what is read of it is no more than that")
{
    begin();
    for (unsigned round = 0; round < 50; round++) {
        struct ended record = record_of(round + 1, ENDED_FOUND, 1, ENDED_NO_STATUS);
        ended_write(&home, &record);
        FILE *file = fopen(in_directory("home/ended"), "r+");
        check(file != NULL, "%m");
        for (unsigned i = 0; i < 200; i++) {
            fseek(file, (long)(8 + below(7000)), SEEK_SET);
            fputc((int)below(256), file);
        }
        fclose(file);
        unsigned count = ended_read(&home, records);
        check(count <= ENDED_RECORDS, "%u", count);
        for (unsigned i = 0; i < count; i++)
            check(strlen(records[i].name) < sizeof records[i].name &&
                      strlen(records[i].command) < sizeof records[i].command,
                  "a text without an end");
        if (below(2) == 0)
            check(truncate(in_directory("home/ended"), (off_t)below(9000)) == 0, "%m");
    }
}
