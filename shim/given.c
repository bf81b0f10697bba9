#include "given.h"

#include "filter.h"
#include "kind.h"
#include "probe.h"
#include "table.h"

#include <errno.h>
#include <pthread.h>

void given_note(int fd, unsigned port)
{
    for (unsigned i = 0; table.map[i] != NULL; i++) {
        struct map *map = table.map[i];
        if (atomic_load_explicit(&map->grows, memory_order_relaxed) == 0 || !map_is_ephemeral(map, port) ||
            map_late_protocols(map, port) == 0)
            continue;
        if (kind_matches(fd, map_late_protocols(map, port)))
            atomic_fetch_or(&map->given[port / 64], UINT64_C(1) << (port % 64));
        return;
    }
}

bool given_is_held(const struct map *map, unsigned port)
{
    if ((atomic_load(&map->given[port / 64]) >> (port % 64) & 1) == 0)
        return false;
    if (filter_is_installed())
        return true;
    int saved = errno, cancel;
    /* close(2) is a cancellation point, which bind(2) is not. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    bool held = probe_port(port) == PROBE_TAKEN;
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return held;
}
