#include "survey.h"

#include "error.h"
#include "lease.h"
#include "liveness.h"
#include "portset.h"
#include "probe.h"
#include "process.h"
#include "publish.h"
#include "rundir.h"
#include "socket_owners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *survey_state_name(enum survey_state state)
{
    static const char *const names[] = {"assigned", "bound", "listening", "gone"};
    return names[state];
}

const char *survey_name(const struct survey *survey)
{
    const char *name = map_about(survey->map, "name", 0);
    return name != NULL && *name != '@' ? name : NULL;
}

/* A TCP socket that is bound and does not listen is in no list of the kernel's before Linux 6.8: the probe
 * sees it. */
static void look_at_sockets(struct survey_port *port, const struct map *map, int diag)
{
    if (sockdiag_ask(diag, port->real, SOCKDIAG_SERVERS, &port->sockets) != 0)
        return;
    port->used =
        (port->sockets.tcp_listening > 0 ? PORTMAP_TCP : 0) | (port->sockets.udp > 0 ? PORTMAP_UDP : 0);
    if (port->sockets.tcp_listening > 0)
        port->state = SURVEY_LISTENING;
    else if (port->sockets.udp > 0)
        port->state = SURVEY_BOUND;
    else if (probe_port(port->real) == PROBE_TAKEN && sockdiag_only_time_wait(port->real) != 1)
        port->state = SURVEY_BOUND;
    else
        port->state = map_was_bound(map, port->placeholder) ? SURVEY_GONE : SURVEY_ASSIGNED;
}

static void look_at_lease(struct survey_port *port, const struct survey *survey,
                          const struct lease_table *leases)
{
    lease_owner holder = lease_holder(leases, port->real);
    if (lease_owner_run(holder) == survey->run_id)
        snprintf(port->lease, sizeof port->lease, "run");
    else if (lease_owner_run(holder) != 0)
        snprintf(port->lease, sizeof port->lease, "run %014llx", (unsigned long long)lease_owner_run(holder));
    else if (lease_owner_pid(holder) != 0)
        snprintf(port->lease, sizeof port->lease, "process %d", (int)lease_owner_pid(holder));
    else
        snprintf(port->lease, sizeof port->lease, "none");
}

static void look_at_port(struct survey *survey, unsigned placeholder, const struct lease_table *leases,
                         int diag)
{
    const struct map *map = survey->map;
    uint32_t entry = atomic_load(&map->to_kernel[placeholder]);
    struct survey_port *port = &survey->ports[survey->port_count++];
    *port = (struct survey_port){.placeholder = placeholder,
                                 .real = map_entry_port(entry),
                                 .protocols = map_entry_protocols(entry),
                                 .late = (entry & MAP_LATE) != 0,
                                 .inherited = (entry & MAP_INHERITED) != 0,
                                 .lease = "none"};
    if (!survey->elsewhere)
        look_at_sockets(port, map, diag);
    if (leases != NULL)
        look_at_lease(port, survey, leases);
}

static int look_at_ports(struct survey *survey, const struct lease_table *leases)
{
    unsigned count = 0;
    for (unsigned port = 0; (port = publish_next(survey->map, port)) != 0;)
        count++;
    survey->ports = calloc(count + 1, sizeof *survey->ports);
    if (survey->ports == NULL)
        return -ENOMEM;
    int diag = sockdiag_open();
    if (diag < 0)
        return diag;
    for (unsigned port = 0; (port = publish_next(survey->map, port)) != 0 && survey->port_count < count;)
        look_at_port(survey, port, leases, diag);
    close(diag);
    return 0;
}

int survey_run(struct survey *survey, const struct home *home, uint64_t run_id)
{
    struct lease_table leases;
    *survey = (struct survey){.run_id = run_id};
    enum run_state state = liveness_of(home, run_id);
    if (state == RUN_DEAD || state == RUN_GONE)
        return PORTMAP_EENDED;
    int error = rundir_path(home, run_id, survey->path);
    if (error == 0)
        error = map_view(&survey->map, survey->path);
    if (error != 0)
        return error;
    survey->ending = state == RUN_DYING;
    survey->elsewhere = survey->map->net_namespace != process_net_namespace();
    bool have_table = lease_open(&leases, home) == 0;
    error = look_at_ports(survey, have_table ? &leases : NULL);
    if (have_table)
        lease_close(&leases);
    if (error != 0)
        survey_end(survey);
    return error;
}

void survey_end(struct survey *survey)
{
    free(survey->ports);
    if (survey->map != NULL)
        map_detach(survey->map);
    *survey = (struct survey){0};
}

struct collecting {
    const struct home *home;
    struct survey *surveys;
    unsigned count, most;
};

static bool collect(uint64_t run_id, void *context)
{
    struct collecting *c = context;
    if (survey_run(&c->surveys[c->count], c->home, run_id) == 0)
        c->count++;
    return c->count < c->most;
}

static int by_age(const void *a, const void *b)
{
    const struct map *one = ((const struct survey *)a)->map, *other = ((const struct survey *)b)->map;
    return one->created < other->created ? -1 : one->created > other->created;
}

int survey_all(struct survey *surveys, unsigned most, const struct home *home)
{
    struct lease_table leases;
    struct collecting c = {.home = home, .surveys = surveys, .most = most};
    if (lease_open(&leases, home) == 0) {
        liveness_sweep(home, &leases, SWEEP_SOME, LEASE_FREE_ONLY);
        lease_close(&leases);
    }
    int error = rundir_each(home, collect, &c);
    if (error != 0)
        return error;
    qsort(surveys, c.count, sizeof *surveys, by_age);
    return (int)c.count;
}

/* A socket and the port it is on. */
struct wanted {
    unsigned long inode;
    struct survey_port *port;
};

static int by_inode(const void *a, const void *b)
{
    const struct wanted *one = a, *other = b;
    return one->inode < other->inode ? -1 : one->inode > other->inode;
}

struct all_wanted {
    const struct wanted *sockets;
    unsigned count;
};

static void add_owner(struct survey_port *port, pid_t pid)
{
    for (unsigned i = 0; i < port->owner_count; i++)
        if (port->owners[i] == pid)
            return;
    if (port->owner_count == SURVEY_OWNERS)
        return;
    if (port->owner_count == 0)
        process_name(pid, port->program, sizeof port->program);
    port->owners[port->owner_count++] = pid;
}

/* One socket may be on a port of a run and of the runs inside of it. */
static void note_owner(unsigned number, pid_t pid, void *context)
{
    const struct all_wanted *all = context;
    unsigned long inode = all->sockets[number].inode;
    while (number > 0 && all->sockets[number - 1].inode == inode)
        number--;
    for (; number < all->count && all->sockets[number].inode == inode; number++)
        add_owner(all->sockets[number].port, pid);
}

static unsigned collect_sockets(struct survey *surveys, unsigned count, struct wanted *wanted)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned p = 0; p < surveys[i].port_count; p++) {
            struct survey_port *port = &surveys[i].ports[p];
            for (unsigned k = 0; k < port->sockets.inode_count; k++, found++)
                if (wanted != NULL)
                    wanted[found] = (struct wanted){port->sockets.inodes[k], port};
        }
    return found;
}

void survey_find_owners(struct survey *surveys, unsigned count)
{
    unsigned sockets = collect_sockets(surveys, count, NULL);
    struct wanted *wanted = calloc(sockets + 1, sizeof *wanted);
    unsigned long *inodes = calloc(sockets + 1, sizeof *inodes);
    if (wanted != NULL && inodes != NULL) {
        collect_sockets(surveys, count, wanted);
        qsort(wanted, sockets, sizeof *wanted, by_inode);
        for (unsigned i = 0; i < sockets; i++)
            inodes[i] = wanted[i].inode;
        struct all_wanted all = {wanted, sockets};
        socket_owners(inodes, sockets, note_owner, &all);
    }
    free(wanted);
    free(inodes);
}
