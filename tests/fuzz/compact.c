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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    struct compact compact;
    char path[PATH_MAX];
    unsigned count = 0;
    if (compact_read_head(text, &compact)) {
        compact_read(text, check_assignment, &count);
        for (unsigned n = 0; compact_outer(text, n, path); n++)
            must(*path == '/' && strchr(path, ' ') == NULL);
    }
    free(text);
    return 0;
}
