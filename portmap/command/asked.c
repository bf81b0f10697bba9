#include "command/asked.h"

#include "base/json.h"
#include "base/text.h"
#include "command/command.h"
#include "observe/lack.h"
#include "run/publish.h"

#include <stdlib.h>
#include <string.h>

bool asked_all(char *const *words)
{
    return words[0] != NULL && strcmp(words[0], "all") == 0 && words[1] == NULL;
}

void asked_check(char *const *words, const char *see_help)
{
    static struct portset checked;
    if (*words == NULL)
        command_fail("none is given", see_help, "port");
    if (asked_all(words))
        return;
    for (; *words != NULL; words++) {
        memset(&checked, 0, sizeof checked);
        command_add_ports(&checked, *words);
        if (portset_count(&checked) == 0)
            command_fail("it names no port", "write placeholders such as 8080 or 8000-8010", "port \"%s\"",
                         *words);
    }
}

char *asked_list_all(const struct map *map)
{
    static char list[PORT_COUNT * 10];
    static const char *const suffixes[] = {"", "/tcp", "/udp", ""};
    struct text t = text_in(list, sizeof list);
    struct portbits assigned;
    publish_assigned(map, &assigned);
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;) {
        text_str(&t, t.used > 0 ? "," : "");
        text_uint(&t, port);
        text_str(&t, suffixes[map_protocols(map, port)]);
    }
    return list;
}

static void check(const struct map *map, const char *run, unsigned placeholder, unsigned protocols)
{
    struct lack lack;
    if ((map_protocols(map, placeholder) & protocols) == 0) {
        lack_of_placeholder(&lack, map, placeholder);
        command_fail(lack.why, lack.remedy, "%s, port %u", run, placeholder);
    }
    if (map_real(map, placeholder) == 0)
        command_fail("it has no real port until a program binds it", "use portshim wait", "%s, port %u", run,
                     placeholder);
}

static void add_all(struct portset *ports, const struct map *map, const char *run)
{
    const char *list = asked_list_all(map);
    if (*list == '\0')
        command_fail("no placeholder has a real port until a program binds it", "use portshim wait",
                     "%s, port all", run);
    command_add_ports(ports, list);
}

void asked_read(struct portset *ports, const struct map *map, const char *run, char *const *words)
{
    memset(ports, 0, sizeof *ports);
    if (asked_all(words)) {
        add_all(ports, map, run);
        return;
    }
    while (*words != NULL)
        command_add_ports(ports, *words++);
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0;)
        check(map, run, port, portset_listed(ports, port));
}

int asked_print(const struct map *map, const char *run, char *const *words)
{
    static struct portset ports;
    char *all[] = {asked_list_all(map), NULL};
    asked_read(&ports, map, run, words); /* nothing is printed if one is wrong */
    for (char *const *word = asked_all(words) ? all : words; *word != NULL; word++) {
        memset(&ports, 0, sizeof ports);
        command_add_ports(&ports, *word);
        for (unsigned port = 0; (port = portset_next_listed(&ports, port)) != 0;)
            printf("%u\n", map_real(map, port));
    }
    return command_printed(EXIT_SUCCESS);
}

bool asked_url(const struct map *map, const struct portset *ports, unsigned port,
               char url[static ASKED_URL_SIZE])
{
    snprintf(url, ASKED_URL_SIZE, "http://localhost:%u", map_real(map, port));
    return (portset_listed(ports, port) & map_protocols(map, port) & PORTMAP_TCP) != 0;
}

void asked_print_json(const struct map *map, const char *path, const struct portset *ports, bool urls)
{
    const char *comma = "";
    char url[ASKED_URL_SIZE];
    printf("{\"run\":");
    json_string(stdout, path);
    printf(",\"ports\":[");
    for (unsigned port = 0; (port = portset_next_listed(ports, port)) != 0; comma = ",") {
        unsigned real = map_real(map, port);
        printf("%s{\"placeholder\":%u,\"real\":%u", comma, port, real);
        if (urls && asked_url(map, ports, port, url))
            printf(",\"url\":\"%s\"", url);
        putchar('}');
    }
    printf("]}\n");
}
