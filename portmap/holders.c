#include "holders.h"

#include "lease.h"
#include "map.h"
#include "probe.h"
#include "rundir.h"
#include "sockdiag.h"
#include "text.h"

#include <string.h>

enum { EXAMPLES = 3, COUNTED_RUNS = 1024 };

static void describe_run(struct text *t, const struct home *home, uint64_t run_id)
{
    char path[PATH_MAX];
    struct map *map;
    if (rundir_path(home, run_id, path) != 0 || map_view(&map, path) != 0) {
        text_str(t, "a run that is gone");
        return;
    }
    const char *name = map_about(map, "name", 0);
    if (name != NULL) {
        text_str(t, name);
        text_char(t, ' ');
    }
    text_str(t, "pid ");
    text_uint(t, (uint64_t)map->starter);
    map_detach(map);
}

static bool add_run(uint64_t runs[static COUNTED_RUNS], unsigned *count, uint64_t run_id)
{
    for (unsigned i = 0; i < *count; i++)
        if (runs[i] == run_id)
            return false;
    if (*count == COUNTED_RUNS)
        return false;
    runs[(*count)++] = run_id;
    return true;
}

static void describe_runs(struct text *t, const struct home *home, const uint64_t *runs, unsigned count)
{
    for (unsigned i = 0; i < count && i < EXAMPLES; i++) {
        text_str(t, i == 0 ? " (" : ", ");
        describe_run(t, home, runs[i]);
    }
    if (count > EXAMPLES) {
        text_str(t, " and ");
        text_uint(t, count - EXAMPLES);
        text_str(t, " more");
    }
    if (count > 0)
        text_char(t, ')');
}

void holders_describe(const struct home *home, const struct pool *pool, char *buffer, size_t size)
{
    uint64_t runs[COUNTED_RUNS];
    unsigned run_count = 0, leased = 0, used = 0, time_wait = 0;
    struct lease_table leases;
    struct text t = text_in(buffer, size);
    bool have_table = lease_open(&leases, home) == 0;
    for (unsigned port = 1; port < PORT_COUNT; port++) {
        uint64_t run = 0;
        if (!portbits_has(&pool->ports, port))
            continue;
        if (have_table && (run = lease_owner_run(lease_holder(&leases, port))) != 0) {
            leased++;
            add_run(runs, &run_count, run);
        } else if (probe_port(port) == PROBE_TAKEN) {
            used++;
            time_wait += sockdiag_only_time_wait(port) == 1;
        }
    }
    if (have_table)
        lease_close(&leases);
    text_uint(&t, leased);
    text_str(&t, " ports of ");
    text_uint(&t, pool->count);
    text_str(&t, " by ");
    text_uint(&t, run_count);
    text_str(&t, run_count == 1 ? " run" : " runs");
    describe_runs(&t, home, runs, run_count);
    text_str(&t, ", ");
    text_uint(&t, used);
    text_str(&t, " by other programs, ");
    text_uint(&t, time_wait);
    text_str(&t, " of them in TIME_WAIT");
}

void holders_describe_port(const struct home *home, unsigned port, char *buffer, size_t size)
{
    struct lease_table leases;
    struct text t = text_in(buffer, size);
    uint64_t run = 0;
    if (lease_open(&leases, home) == 0) {
        run = lease_owner_run(lease_holder(&leases, port));
        lease_close(&leases);
    }
    if (run != 0) {
        text_str(&t, "run ");
        describe_run(&t, home, run);
    } else {
        text_str(&t, probe_port(port) == PROBE_TAKEN ? "another program" : "nobody");
    }
}
