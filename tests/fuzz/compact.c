/* The private variable with a run's assignments: run/compact.h. */
#include "fuzz.h"

#include "run/compact.h"

static void check_assignment(void *to, unsigned placeholder, unsigned real, unsigned alias,
                             uint32_t protocols)
{
    ++*(unsigned *)to;
    must(placeholder > 0 && placeholder < PORT_COUNT && real > 0 && real < PORT_COUNT && alias < PORT_COUNT);
    must((protocols & ~((uint32_t)PORTMAP_BOTH << MAP_PROTOCOLS_SHIFT)) == 0 && protocols != 0);
}

/* What says that there is a trap says the same besides. */
static void check_trapped(const char *text, unsigned assignments)
{
    size_t size = strlen(text) + sizeof " t";
    char *trapped = malloc(size);
    struct compact compact;
    unsigned count = 0;
    must(trapped != NULL);
    memcpy(trapped, text, strlen(text) + 1);
    must(compact_set_trapped(trapped, size) && compact_read_head(trapped, &compact) && compact.trap.is_on);
    must(compact_read(trapped, check_assignment, &count) == compact_read(text, check_assignment, &count));
    must(count == 2 * assignments);
    free(trapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    struct compact compact;
    char path[PATH_MAX];
    unsigned count = 0;
    if (compact_read_head(text, &compact)) {
        if (compact.trap.command != NULL)
            must(*compact.trap.command == '/' &&
                 memchr(compact.trap.command, ' ', compact.trap.command_length) == NULL &&
                 compact.trap.command + compact.trap.command_length <= text + strlen(text));
        compact_read(text, check_assignment, &count);
        for (unsigned n = 0; compact_outer(text, n, path); n++)
            must(*path == '/' && strchr(path, ' ') == NULL);
        check_trapped(text, count);
    }
    free(text);
    return 0;
}
