#include "command/ls_log.h"

#include "command/command.h"
#include "error.h"
#include "host/process.h"
#include "observe/survey.h"

#include <stdio.h>

/* `made` is the date on which the run was made. */
static void print_record(uint64_t made, const struct map_record *record)
{
    double age = (double)(int64_t)(record->date - made) / 1e9;
    printf("%10.3f  pid %-7d  ", age, (int)record->pid);
    switch (record->event) {
    case MAP_EVENT_ATTACH:
        puts("attached");
        break;
    case MAP_EVENT_LATE:
        printf("late assignment: %u -> %u\n", record->placeholder, record->real);
        break;
    case MAP_EVENT_SWAP:
        printf("remap: %u -> %u, as another program had taken the port before\n", record->placeholder,
               record->real);
        break;
    case MAP_EVENT_REFUSED:
        printf("refused: %u -> %u: %s\n", record->placeholder, record->real,
               portmap_strerror(-record->error));
        break;
    case MAP_EVENT_EMPTY:
        printf("refused: no real port was left for %u\n", record->placeholder);
        break;
    case MAP_EVENT_UNKEYED:
        printf("not the key's port: %u -> %u was taken\n", record->placeholder, record->real);
        break;
    default:
        printf("event %u\n", record->event);
    }
}

void ls_log_print(const struct map *map)
{
    uint32_t size = map_log_size(map), next = map_log_next(map), first = next > size ? next - size : 0;
    if (first > 0)
        command_warn("there is no room for more", "ask earlier", "%u older records are gone", first);
    uint64_t made = process_date() - survey_age(map, process_clock());
    for (uint32_t i = first; i != next; i++) {
        const struct map_record record = map_log_record(map, i);
        if (record.event != MAP_EVENT_NONE)
            print_record(made, &record);
    }
}
