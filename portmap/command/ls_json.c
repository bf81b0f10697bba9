#include "command/ls_json.h"

#include "base/json.h"
#include "host/process.h"
#include "host/socket_owners.h"
#include "observe/load.h"
#include "run/keyed.h"
#include "run/sighting.h"
#include "run/supervisors.h"
#include "run/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void ls_json_not_wrapped(unsigned *count, const char *program, const struct unwrapped *unwrapped)
{
    json_separate(stdout, count, ",");
    printf("{\"program\":");
    json_string(stdout, program);
    printf(",\"in_part\":%s,\"reason\":\"%s\",\"remedy\":\"%s\"}", unwrapped->in_part ? "true" : "false",
           unwrapped->reason, unwrapped->remedy);
}

void ls_json_not_listed(unsigned *count, unsigned port, bool bound, const char *program)
{
    json_separate(stdout, count, ",");
    printf("{\"port\":%u,\"program\":", port);
    json_string(stdout, program);
    printf(",\"bound\":%s,\"remedy\":\"-p %u\"}", bound ? "true" : "false", port);
}

static void json_protocols(const char *key, unsigned protocols)
{
    printf("\"%s\":[%s%s%s]", key, protocols & PORTMAP_TCP ? "\"tcp\"" : "",
           protocols == PORTMAP_BOTH ? "," : "", protocols & PORTMAP_UDP ? "\"udp\"" : "");
}

/* By which way the program of a process is wrapped, in JSON. */
static const char *way_of(const struct map *map, pid_t pid)
{
    static const char *const ways[] = {
        [WAY_LIBRARY] = "\"library\"", [WAY_TRAP] = "\"trap\"", [WAY_NONE] = "null"};
    char path[32];
    struct stat file;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return ways[stat(path, &file) == 0 ? sighting_way(map, &file) : WAY_NONE];
}

static void json_process(const struct map *map, pid_t pid)
{
    char name[32], *command = process_command(pid);
    process_name(pid, name, sizeof name);
    printf("{\"pid\":%d,\"program\":", (int)pid);
    json_string(stdout, name);
    printf(",\"command\":");
    json_string(stdout, command != NULL ? command : "");
    printf(",\"wrapped_by\":%s}", way_of(map, pid));
    free(command);
}

static void json_port(const struct survey *run, const struct survey_port *port)
{
    static const char *const by_key[] = {
        [KEYED_NOT] = "null", [KEYED_GOT] = "true", [KEYED_MISSED] = "false"};
    printf("{\"placeholder\":%u,\"real\":%u,", port->placeholder, port->real);
    json_protocols("protocols", port->protocols);
    printf(",\"state\":\"%s\",", survey_state_name(run, port));
    json_protocols("in_use", port->used);
    printf(",\"late\":%s,\"by_key\":%s,\"lease\":", port->late ? "true" : "false",
           by_key[keyed_is(&run->map, port->placeholder)]);
    json_string(stdout, port->lease);
    printf(",\"processes\":[");
    for (unsigned i = 0, count = 0; i < port->owner_count; i++) {
        json_separate(stdout, &count, ",");
        json_process(&run->map, port->owners[i].pid);
    }
    printf("]}");
}

static void json_loads(const struct map *map)
{
    unsigned count = 0;
    struct sighting s;
    printf("\"libraries\":[");
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++) {
        const struct load *load = load_of(s.kind);
        if (load == NULL)
            continue;
        json_separate(stdout, &count, ",");
        printf("{\"program\":");
        json_string(stdout, sighting_program_name(map, s.program).text);
        printf(",\"loaded_by\":\"%s\",\"wrapped\":%s,\"remedy\":\"%s\"}", load->by,
               load->wrapped ? "true" : "false", load->remedy);
    }
    printf("],");
}

static void json_trapped(const struct map *map)
{
    struct map_program program;
    unsigned count = 0;
    printf("\"trapped\":[");
    for (unsigned n = 0; sighting_hooked_by_trap(map, &n, &program);) {
        json_separate(stdout, &count, ",");
        printf("{\"program\":");
        json_string(stdout, program.name);
        printf(",\"reason\":\"%s\"}", sighting_obstacle(&program)->why);
    }
    printf("],");
}

static void json_not_wrapped(const struct map *map)
{
    struct map_program program;
    unsigned count = 0;
    printf("\"not_wrapped\":[");
    for (unsigned n = 0; sighting_unhookable(map, &n, &program);) {
        const struct unwrapped unwrapped = unwrapped_of(&program);
        ls_json_not_wrapped(&count, program.name, &unwrapped);
    }
    printf("],");
}

static void json_not_listed(const struct map *map)
{
    unsigned count = 0;
    struct sighting s;
    printf("\"not_listed\":[");
    for (unsigned n = 0; (s = sighting_get(map, n)).kind != SIGHTING_NONE; n++)
        if (s.kind == SIGHTING_BIND || s.kind == SIGHTING_REFUSED)
            ls_json_not_listed(&count, s.port, s.kind == SIGHTING_BIND,
                               sighting_program_name(map, s.program).text);
    putchar(']');
}

static void json_run(const struct survey *run, uint64_t now)
{
    const struct map *map = &run->map;
    const char *file;
    printf("{\"run\":");
    json_string(stdout, run->path);
    printf(",\"name\":");
    json_string(stdout, survey_name(run));
    printf(",\"key\":");
    json_string(stdout, texts_get(map, TEXT_KEY, 0));
    printf(",\"command\":");
    json_string(stdout, texts_get(map, TEXT_COMMAND, 0));
    printf(",\"directory\":");
    json_string(stdout, texts_get(map, TEXT_DIRECTORY, 0));
    printf(",\"pid\":%d,\"age\":%.3f,\"ending\":%s,\"outer\":", (int)map->head->starter,
           (double)survey_age(map, now) / 1e9, run->ending ? "true" : "false");
    json_string(stdout, texts_get(map, TEXT_OUTER, 0));
    printf(",\"files\":[");
    for (unsigned n = 0, count = 0; (file = texts_get(map, TEXT_FILE, n)) != NULL; n++) {
        json_separate(stdout, &count, ",");
        json_string(stdout, file);
    }
    printf("],\"ports\":[");
    for (unsigned p = 0, count = 0; p < run->port_count; p++) {
        json_separate(stdout, &count, ",");
        json_port(run, &run->ports[p]);
    }
    printf("],");
    json_not_wrapped(map);
    json_trapped(map);
    printf("\"supervisors_killed\":%u,", supervisors_killed(map));
    json_loads(map);
    json_not_listed(map);
    putchar('}');
}

void ls_json_print(const struct survey *runs, unsigned count, uint64_t now)
{
    printf("\"runs\":[");
    for (unsigned i = 0, printed = 0; i < count; i++) {
        json_separate(stdout, &printed, ",\n ");
        json_run(&runs[i], now);
    }
    putchar(']');
}
