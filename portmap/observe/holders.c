#include "observe/holders.h"

#include "base/text.h"
#include "host/probe.h"
#include "host/sockdiag.h"
#include "lease/table.h"
#include "run/files.h"
#include "run/name.h"
#include "run/rundir.h"

#include <fcntl.h>
#include <string.h>

extern char **environ;

enum { EXAMPLES = 3, COUNTED = 1024 };

/* Owners of one kind, runs or processes, and how many ports they have in all. */
struct owners {
    lease_owner owners[COUNTED];
    unsigned count, ports;
    bool more; /* there are more owners than COUNTED */
};

static void describe_run(struct text *t, const struct home *home, uint64_t run_id)
{
    char path[PATH_MAX];
    struct map map;
    if (rundir_path(home, run_id, path) != 0 || files_open(&map, AT_FDCWD, path) != 0) {
        text_str(t, "a run that is gone");
        return;
    }
    const char *name = name_given(&map);
    if (name != NULL) {
        text_str(t, name);
        text_char(t, ' ');
    }
    text_str(t, "pid ");
    text_uint(t, (uint64_t)map.head->starter);
    files_close(&map);
}

static void describe_owner(struct text *t, const struct home *home, lease_owner owner)
{
    if (lease_owner_run(owner) != 0) {
        describe_run(t, home, lease_owner_run(owner));
        return;
    }
    text_str(t, "pid ");
    text_uint(t, (uint64_t)lease_owner_pid(owner));
}

static bool is_same_owner(lease_owner a, lease_owner b)
{
    return a == b || lease_is_same_process(a, b);
}

static void add_owner(struct owners *o, lease_owner owner)
{
    o->ports++;
    for (unsigned i = 0; i < o->count; i++)
        if (is_same_owner(o->owners[i], owner))
            return;
    if (o->count == COUNTED)
        o->more = true;
    else
        o->owners[o->count++] = owner;
}

/* Writes " by 2 runs (web pid 123, pid 124)". */
static void describe_owners(struct text *t, const struct home *home, const struct owners *o, const char *one,
                            const char *many)
{
    text_str(t, o->more ? " by more than " : " by ");
    text_uint(t, o->count);
    text_str(t, o->count == 1 ? one : many);
    for (unsigned i = 0; i < o->count && i < EXAMPLES; i++) {
        text_str(t, i == 0 ? " (" : ", ");
        describe_owner(t, home, o->owners[i]);
    }
    if (o->count > EXAMPLES) {
        text_str(t, " and ");
        text_uint(t, o->count - EXAMPLES);
        text_str(t, o->more ? " more and others" : " more");
    }
    if (o->count > 0)
        text_char(t, ')');
}

unsigned holders_describe(const struct home *home, const struct pool *pool, char *buffer, size_t size)
{
    struct owners runs = {0}, processes = {0};
    unsigned used = 0, time_wait = 0, privileged = 0, first = pool_first_unprivileged();
    struct lease_table leases;
    struct text t = text_in(buffer, size);
    bool have_table = lease_open_existing(&leases, home) == 0;
    for (unsigned port = 0; (port = portbits_next(&pool->ports, port)) != 0;) {
        lease_owner owner = have_table ? lease_holder(&leases, port) : 0;
        if (owner != 0) {
            add_owner(lease_owner_run(owner) != 0 ? &runs : &processes, owner);
            continue;
        }
        int answer = probe_port(port);
        privileged += answer == PROBE_FORBIDDEN && port < first;
        if (answer == PROBE_TAKEN) {
            used++;
            time_wait += sockdiag_only_time_wait(port) == 1;
        }
    }
    if (have_table)
        lease_close(&leases);
    text_uint(&t, runs.ports);
    text_str(&t, " ports of ");
    text_uint(&t, pool->count);
    describe_owners(&t, home, &runs, " run", " runs");
    if (processes.ports > 0) {
        text_str(&t, ", ");
        text_uint(&t, processes.ports);
        describe_owners(&t, home, &processes, " process", " processes");
    }
    text_str(&t, ", ");
    text_uint(&t, used);
    text_str(&t, " by other programs, ");
    text_uint(&t, time_wait);
    text_str(&t, " of them in TIME_WAIT");
    if (privileged > 0) {
        text_str(&t, ", ");
        text_uint(&t, privileged);
        text_str(&t, privileged == 1 ? " is privileged" : " are privileged");
    }
    return privileged;
}

const char *holders_explain(const struct home *home, const struct pool *pool, char *why, size_t size)
{
    char held[1024];
    struct text t = text_in(why, size);
    unsigned privileged = holders_describe(home, pool, held, sizeof held);
    if (privileged == pool->count) {
        text_str(&t, pool->count == 1 ? "the only port of " : "every port of ");
        text_str(&t, pool_source(environ));
        text_str(&t, " is privileged");
    } else {
        text_str(&t, "pool exhausted, held by: ");
        text_str(&t, held);
    }
    return privileged > 0 ? "be root, lower net.ipv4.ip_unprivileged_port_start, or list other ports"
                          : "end some of them, or widen PORTSHIM_POOL";
}

void holders_describe_port(const struct home *home, unsigned port, char *buffer, size_t size)
{
    struct lease_table leases;
    struct text t = text_in(buffer, size);
    lease_owner owner = 0;
    if (lease_open_existing(&leases, home) == 0) {
        owner = lease_holder(&leases, port);
        lease_close(&leases);
    }
    if (owner != 0) {
        text_str(&t, lease_owner_run(owner) != 0 ? "run " : "process ");
        describe_owner(&t, home, owner);
    } else {
        text_str(&t, probe_port(port) == PROBE_TAKEN ? "another program" : "nobody");
    }
}
