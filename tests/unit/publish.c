/* Publishing a run's map: run/publish.h. */
#include "places.h"

#include "error.h"
#include "run/publish.h"

#include <errno.h>
#include <sys/stat.h>

static const char run_path[] = "/home/runs/00123456789abc", other_path[] = "/home/runs/00123456789abd";
static const char *failed;
static struct pair pairs[PAIRS];

static struct map *publishing(const char *file)
{
    struct map *map = new_late_map();
    check(add_text(map, TEXT_FILE, in_directory("%s", file)), "no room");
    return map;
}

static int publish(const struct map *map, enum publish_occasion occasion)
{
    return publish_files(map, run_path, occasion, &failed);
}

static void check_names(const char *file, const char *path)
{
    char named[PATH_MAX];
    equal(publish_read_run(file, named, sizeof named), 0);
    equal_text(named, path);
}

TEST("what is in a map file of each format is what the map says, and it names the run")
{
    static const char *const files[] = {"map", "map.env", "map.json"};
    static const char *const formats[] = {"%u %u\n", "PORTSHIM_PORT_%u=%u\n",
                                          "{\"placeholder\": %u, \"real\": %u, \"protocols\": [%s]}"};
    static const char *const protocols[] = {
        [PORTMAP_TCP] = "\"tcp\"", [PORTMAP_UDP] = "\"udp\"", [PORTMAP_BOTH] = "\"tcp\", \"udp\""};
    enter_new_directory();
    for (unsigned i = 0; i < 3; i++) {
        struct map *map = publishing(files[i]);
        assign_pairs(map, pairs);
        equal(publish(map, PUBLISH_FIRST), 0);
        check_names(files[i], run_path);
        const char *text = read_text(files[i]);
        unsigned items = 0;
        for (unsigned k = 0; k < PAIRS; k++) {
            char item[128], line[130] = "\n";
            snprintf(item, sizeof item, formats[i], pairs[k].placeholder, pairs[k].real,
                     protocols[pairs[k].protocols]);
            strcat(line, item);
            check(strstr(text, i < 2 ? line : item) != NULL, "%s is not in %s", item, files[i]);
        }
        for (const char *c = text; *c != '\0'; c++)
            items += i == 2 ? *c == '{' : *c == '\n';
        equal(items, PAIRS + (i == 1 ? 2 : 1)); /* the lines of the head; the object itself */
        drop_map(map);
    }
}

TEST("what is published are the placeholders that are assigned, also those that were assigned late")
{
    struct map *map = new_late_map();
    struct portbits assigned;
    uint32_t entry = 0;
    assign_pairs(map, pairs);
    publish_assigned(map, &assigned);
    equal(portbits_count(&assigned), PAIRS);
    for (unsigned k = 0; k < PAIRS; k++)
        equal(portbits_has(&assigned, pairs[k].placeholder), true);
    list_late(map, 65535, PORTMAP_TCP, BY_ALL);
    map_grant(map, 30000);
    publish_assigned(map, &assigned);
    equal(portbits_count(&assigned), PAIRS);
    equal(map_enter_late(map, 65535, 30000, &entry), true);
    publish_assigned(map, &assigned);
    equal(portbits_count(&assigned), PAIRS + 1);
    equal(portbits_has(&assigned, 65535), true);
}

/* Assigns late placeholders in random order, outside of the numbers of the pairs. */
static void assign_late(struct map *map, unsigned count)
{
    uint16_t placeholders[1000];
    shuffle(placeholders, 30001, 31000);
    for (unsigned i = 0; i < count; i++) {
        uint32_t entry = 0;
        list_late(map, placeholders[i], 1 + below(3), below(2) == 0 ? BY_NUMBER : BY_ALL);
        check(enter_leased(map, placeholders[i], 20000 + i, &entry), "%u", placeholders[i]);
    }
    list_late(map, 32000, PORTMAP_BOTH, BY_NUMBER); /* which is not assigned */
}

TEST("the lines of a file are in ascending order, those of late assignments among the others")
{
    enum { LATE = 200 };
    struct map *map = (enter_new_directory(), publishing("map"));
    unsigned placeholder = 0, real, before = 0, count = 0;
    assign_pairs(map, pairs);
    assign_late(map, LATE);
    equal(publish(map, PUBLISH_FIRST), 0);
    FILE *file = fopen("map", "r");
    check(file != NULL && fscanf(file, "# portshim %*s") == 0, "%m");
    for (; fscanf(file, "%u %u", &placeholder, &real) == 2; before = placeholder, count++) {
        check(placeholder > before, "%u after %u", placeholder, before);
        equal(map_real(map, placeholder), real);
    }
    equal(count, PAIRS + LATE);
}

TEST("a late assignment stands in a file of each format, one that is to come does not")
{
    static const char *const files[] = {"map", "map.env", "map.json"};
    static const char *const lines[] = {"\n8080 20000\n", "\nPORTSHIM_PORT_8080=20000\n",
                                        "{\"placeholder\": 8080, \"real\": 20000, \"protocols\": [\"tcp\"]}"};
    enter_new_directory();
    for (unsigned i = 0; i < 3; i++) {
        struct map *map = new_late_map();
        uint32_t entry = 0;
        check(add_text(map, TEXT_FILE, in_directory("%s", files[i])), "no room");
        list_late(map, 8080, PORTMAP_TCP, BY_ALL);
        list_late(map, 8081, PORTMAP_TCP, BY_NUMBER);
        equal(publish(map, PUBLISH_FIRST), 0);
        check(strstr(read_text(files[i]), "808") == NULL, "%s", read_text(files[i]));
        check(enter_leased(map, 8080, 20000, &entry), "not assigned");
        equal(publish(map, PUBLISH_AGAIN), 0);
        check(strstr(read_text(files[i]), lines[i]) != NULL, "%s", read_text(files[i]));
        check(strstr(read_text(files[i]), "8081") == NULL, "%s", read_text(files[i]));
    }
}

static int count_variable(const char *assignment, void *context)
{
    unsigned *count = context, placeholder, real;
    check(sscanf(assignment, "PORTSHIM_PORT_%u=%u", &placeholder, &real) == 2, "%s", assignment);
    equal(real, placeholder + 10000);
    return ++*count == 1200 ? 7 : 0;
}

TEST("variables are those of the first placeholders, as many as are asked for, until the visitor stops")
{
    struct map *map = new_map();
    unsigned count = 0;
    for (unsigned port = 10000; port < 12000; port++)
        assign(map, port, port + 10000, PORTMAP_BOTH);
    equal(publish_variables(map, PUBLISH_VARIABLES, count_variable, &count), 0);
    equal(count, 100);
    count = 0;
    equal(publish_variables(map, 1100, count_variable, &count), 0);
    equal(count, 1100);
    count = 1190;
    equal(publish_variables(map, PORT_COUNT, count_variable, &count), 7);
    equal(count, 1200);
}

TEST("a file with anything in it that portshim has not written is left as it is")
{
    static const char *const users[] = {
        "something\n",         "# portshim\n",     "# portshim /tmp\n8080 20000\n",
        "PORTSHIM_RUN=/tmp\n", "{\"run\": \"x\"}", "{\"run\": \"/home/runs/00123456789abc\"}"};
    enter_new_directory();
    struct map *map = publishing("map");
    assign(map, 8080, 20000, PORTMAP_BOTH);
    for (unsigned i = 0; i < sizeof users / sizeof *users; i++) {
        write_text("map", users[i]);
        equal(publish(map, PUBLISH_FIRST), PORTMAP_EOTHERS);
        equal_text(read_text("map"), users[i]);
        equal_text(failed, in_directory("map"));
    }
    check(unlink("map") == 0 && mkdir("map", 0700) == 0, "%m");
    equal(publish(map, PUBLISH_FIRST), PORTMAP_ENOTFILE);
}

TEST("when one of several files cannot be written, none is replaced, and no draft is left")
{
    static const char before[] = "# portshim /home/runs/00123456789abd\n1 2\n";
    enter_new_directory();
    struct map *map = publishing("first");
    add_text(map, TEXT_FILE, in_directory("no/such/directory"));
    write_text("first", before);
    equal(publish(map, PUBLISH_FIRST), -ENOENT);
    equal_text(failed, in_directory("no/such/directory"));
    equal_text(read_text("first"), before);
    equal(system("test \"$(ls)\" = first"), 0);
}

TEST("a new run takes a file over, and the one before leaves it alone from then on")
{
    enter_new_directory();
    struct map *map = publishing("map");
    write_text("map", "");
    equal(publish(map, PUBLISH_FIRST), 0);
    equal(publish_files(map, other_path, PUBLISH_FIRST, &failed), 0);
    check_names("map", other_path);
    equal(publish(map, PUBLISH_AGAIN), 0);
    check_names("map", other_path);
    publish_withdraw(map, run_path);
    check_names("map", other_path);
    assign(map, 8080, 20000, PORTMAP_BOTH);
    equal(publish_files(map, other_path, PUBLISH_AGAIN, &failed), 0);
    check(strstr(read_text("map"), "\n8080 20000\n") != NULL, "%s", read_text("map"));
    publish_withdraw(map, other_path);
    check(access("map", F_OK) < 0, "it is still there");
    equal(publish(map, PUBLISH_AGAIN), 0);
    check_names("map", run_path);
}

TEST("what is no map file names no run")
{
    static const char *const bad[] = {"", "# portshim home\n", "#portshim /home\n", "{\"run\": \"home\"}",
                                      "8080 20000\n"};
    char path[PATH_MAX], few[8];
    enter_new_directory();
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("map", bad[i]);
        equal(publish_read_run("map", path, sizeof path), PORTMAP_ESYNTAX);
    }
    write_text("map", "# portshim /home/runs\n");
    equal(publish_read_run("map", few, sizeof few), PORTMAP_ESYNTAX);
    equal(publish_read_run("none", path, sizeof path), -ENOENT);
    equal(publish_read_run(".", path, sizeof path), PORTMAP_ENOTFILE);
}

TEST("the path of a map file is absolute, and of a link it is where that leads")
{
    char path[PATH_MAX];
    enter_new_directory();
    check(mkdir("below", 0700) == 0, "%m");
    symlink("map", "relative");
    symlink("../map", "below/up");
    symlink(in_directory("below/up"), "absolute");
    symlink("loop", "loop");
    static const struct {
        const char *file, *leads;
    } files[] = {
        {"map", "map"}, {"relative", "map"}, {"below/up", "below/../map"}, {"absolute", "below/../map"}};
    for (unsigned i = 0; i < 4; i++) {
        equal(publish_path(files[i].file, path), 0);
        equal_text(path, in_directory("%s", files[i].leads));
    }
    equal(publish_path("loop", path), -ELOOP);
}
