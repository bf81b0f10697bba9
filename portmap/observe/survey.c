#include "observe/survey.h"

#include "error.h"
#include "host/process.h"
#include "host/sockdiag.h"
#include "host/socket_owners.h"
#include "lease/table.h"
#include "observe/own_command.h"
#include "run/life.h"
#include "run/name.h"
#include "run/portset.h"
#include "run/publish.h"
#include "run/rundir.h"
#include "run/sweep.h"
#include "run/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *survey_state_name(const struct survey *survey, const struct survey_port *port)
{
    static const char *const names[] = {"assigned", "bound", "listening", "gone"};
    return survey->elsewhere ? "unknown" : names[port->state];
}

uint64_t survey_age(const struct map *map, uint64_t now)
{
    return now > map->head->created ? now - map->head->created : 0;
}

const char *survey_name(const struct survey *survey)
{
    return name_given(&survey->map);
}

/* Whether run_id is the run in which this one was started. */
static bool is_outer(const struct survey *survey, uint64_t run_id)
{
    const char *outer = texts_get(&survey->map, TEXT_OUTER, 0), *slash;
    uint64_t outer_id;
    return outer != NULL && (slash = strrchr(outer, '/')) != NULL && rundir_id(slash + 1, &outer_id) &&
           outer_id == run_id;
}

static void look_at_lease(struct survey_port *port, const struct survey *survey,
                          const struct lease_table *leases)
{
    lease_owner holder = lease_holder(leases, port->real);
    uint64_t run_id = lease_owner_run(holder);
    if (run_id == survey->run_id)
        snprintf(port->lease, sizeof port->lease, "own");
    else if (run_id != 0 && is_outer(survey, run_id))
        snprintf(port->lease, sizeof port->lease, "outer");
    else if (run_id != 0)
        snprintf(port->lease, sizeof port->lease, "run %014llx", (unsigned long long)run_id);
    else if (lease_owner_pid(holder) != 0)
        snprintf(port->lease, sizeof port->lease, "process %d", (int)lease_owner_pid(holder));
    else
        snprintf(port->lease, sizeof port->lease, "none");
}

static void look_at_port(struct survey *survey, unsigned placeholder, const struct lease_table *leases)
{
    const struct map *map = &survey->map;
    uint32_t entry = map_to_kernel(map, placeholder);
    struct survey_port *port = &survey->ports[survey->port_count++];
    *port = (struct survey_port){.placeholder = placeholder,
                                 .real = map_entry_port(entry),
                                 .protocols = map_entry_protocols(entry),
                                 .state = map_was_bound(map, placeholder) ? SURVEY_GONE : SURVEY_ASSIGNED,
                                 .late = (entry & MAP_LATE) != 0,
                                 .lease = "none"};
    if (leases != NULL)
        look_at_lease(port, survey, leases);
}

static int look_at_ports(struct survey *survey, const struct lease_table *leases)
{
    struct portbits assigned;
    publish_assigned(&survey->map, &assigned);
    survey->ports = calloc(portbits_count(&assigned) + 1, sizeof *survey->ports);
    if (survey->ports == NULL)
        return -ENOMEM;
    for (unsigned port = 0; (port = portbits_next(&assigned, port)) != 0;)
        look_at_port(survey, port, leases);
    return 0;
}

/* A run that is not ready yet counts as absent; one that vanishes meanwhile as ended. */
static int view_map(struct survey *survey)
{
    int error = files_open(&survey->map, AT_FDCWD, survey->path);
    if (error == -ENOENT)
        return PORTMAP_EENDED;
    if (error != 0 || atomic_load(&survey->map.head->ready))
        return error;
    files_close(&survey->map);
    return PORTMAP_ENORUN;
}

int survey_run(struct survey *survey, const struct home *home, uint64_t run_id)
{
    struct lease_table leases;
    *survey = (struct survey){.run_id = run_id, .map.fd = -1};
    enum run_state state = life_of(home, run_id);
    if (state == RUN_DEAD || state == RUN_GONE)
        return PORTMAP_EENDED;
    int error = rundir_path(home, run_id, survey->path);
    if (error == 0)
        error = view_map(survey);
    if (error != 0)
        return error;
    survey->ending = state == RUN_DYING;
    survey->elsewhere = process_is_other_network(survey->map.head->net_namespace);
    bool have_table = lease_open_existing(&leases, home) == 0;
    error = look_at_ports(survey, have_table ? &leases : NULL);
    if (have_table)
        lease_close(&leases);
    if (error == 0 && !life_has_head(&survey->map, run_id))
        error = PORTMAP_EENDED;
    if (error != 0)
        survey_end(survey);
    return error;
}

void survey_end(struct survey *survey)
{
    for (unsigned p = 0; p < survey->port_count; p++)
        free(survey->ports[p].owners);
    free(survey->ports);
    files_close(&survey->map);
    *survey = (struct survey){.map.fd = -1};
}

struct collecting {
    const struct home *home;
    struct survey *surveys;
    unsigned count, most;
    void (*unread)(uint64_t run_id, int error);
};

/* Whether the run is over, or was so while it was read: then what was read was no run's. */
static bool is_over(const struct home *home, uint64_t run_id)
{
    enum run_state state = life_of(home, run_id);
    return state == RUN_DEAD || state == RUN_GONE;
}

static bool collect(uint64_t run_id, void *context)
{
    struct collecting *c = context;
    int error = survey_run(&c->surveys[c->count], c->home, run_id);
    if (error == 0)
        c->count++;
    else if (error != PORTMAP_EENDED && error != PORTMAP_ENORUN && !is_over(c->home, run_id))
        c->unread(run_id, error);
    return c->count < c->most;
}

static int by_age(const void *a, const void *b)
{
    const struct survey *one = a, *other = b;
    uint64_t first = one->map.head->created, second = other->map.head->created;
    return first < second ? -1 : first > second;
}

/* Leaves out the runs that have no process, also a moment later: a process that is just executing a program
 * has joined again by then. Returns how many are left. */
static unsigned leave_out_ended(struct survey *surveys, unsigned count, const struct home *home)
{
    const struct timespec moment = {.tv_nsec = 20000000};
    unsigned left = 0;
    bool waited = false;
    for (unsigned i = 0; i < count; i++) {
        if (surveys[i].ending && !waited)
            nanosleep(&moment, NULL);
        waited = waited || surveys[i].ending;
        if (surveys[i].ending && life_of(home, surveys[i].run_id) != RUN_ALIVE) {
            survey_end(&surveys[i]);
            continue;
        }
        surveys[i].ending = false;
        if (left != i)
            surveys[left] = surveys[i];
        left++;
    }
    return left;
}

int survey_all(struct survey *surveys, unsigned most, const struct home *home, bool dying,
               void (*unread)(uint64_t run_id, int error))
{
    struct collecting c = {.home = home, .surveys = surveys, .most = most, .unread = unread};
    sweep_home(home);
    int error = rundir_each(home, collect, &c);
    if (error != 0)
        return error;
    if (!dying)
        c.count = leave_out_ended(surveys, c.count, home);
    qsort(surveys, c.count, sizeof *surveys, by_age);
    return (int)c.count;
}

/* A port to find sockets on, and a socket that was found on one. */
struct wanted_port {
    unsigned real;
    struct survey_port *port;
};
struct wanted_socket {
    unsigned long inode;
    unsigned serves;
    struct survey_port *port;
};

struct looking {
    struct wanted_port *ports; /* in ascending order */
    unsigned port_count;
    struct wanted_socket *sockets;
    unsigned socket_count, room;
    bool no_memory;
};

static int by_real(const void *a, const void *b)
{
    const struct wanted_port *one = a, *other = b;
    return one->real < other->real ? -1 : one->real > other->real;
}

static int by_inode(const void *a, const void *b)
{
    const struct wanted_socket *one = a, *other = b;
    return one->inode < other->inode ? -1 : one->inode > other->inode;
}

static int by_pid(const void *a, const void *b)
{
    const struct survey_owner *one = a, *other = b;
    return one->pid < other->pid ? -1 : one->pid > other->pid;
}

static void want_socket(struct looking *looking, const struct wanted_socket *wanted)
{
    if (looking->socket_count == looking->room) {
        looking->room = 2 * looking->room + 64;
        void *more = reallocarray(looking->sockets, looking->room, sizeof *looking->sockets);
        looking->no_memory |= more == NULL;
        if (more == NULL)
            return;
        looking->sockets = more;
    }
    looking->sockets[looking->socket_count++] = *wanted;
}

/* The protocol by which clients can reach the socket, or 0. */
static unsigned served_by(const struct sockdiag_socket *socket)
{
    if (socket->protocol == IPPROTO_UDP)
        return PORTMAP_UDP;
    return socket->listens ? PORTMAP_TCP : 0;
}

static void note_state(struct survey_port *port, const struct sockdiag_socket *socket)
{
    if (socket->listens)
        port->state = SURVEY_LISTENING;
    else if (port->state != SURVEY_LISTENING)
        port->state = SURVEY_BOUND;
    port->used |= served_by(socket);
}

/* Notes the socket for each run that has the port: a run shares real ports with the runs started in it. */
static void note_socket(const struct sockdiag_socket *socket, void *context)
{
    struct looking *looking = context;
    const struct wanted_port key = {.real = socket->port}, *end = looking->ports + looking->port_count;
    const struct wanted_port *found = bsearch(&key, looking->ports, looking->port_count, sizeof key, by_real);
    if (found == NULL || looking->no_memory)
        return;
    while (found > looking->ports && found[-1].real == socket->port)
        found--;
    for (; found < end && found->real == socket->port && !looking->no_memory; found++) {
        note_state(found->port, socket);
        const struct wanted_socket wanted = {socket->inode, served_by(socket), found->port};
        if (socket->inode != 0)
            want_socket(looking, &wanted);
    }
}

/* Called once for each socket of a process. The array doubles when its length is a power of two. */
static void add_owner(const struct wanted_socket *socket, pid_t pid)
{
    struct survey_port *port = socket->port;
    unsigned count = port->owner_count, i = 0;
    while (i < count && port->owners[i].pid != pid)
        i++;
    if (i == count && (count & (count - 1)) == 0) {
        void *more = reallocarray(port->owners, count > 0 ? 2 * count : 1, sizeof *port->owners);
        if (more == NULL)
            return;
        port->owners = more;
    }
    if (i == count)
        port->owners[port->owner_count++] = (struct survey_owner){.pid = pid};
    port->owners[i].serves |= socket->serves;
}

static void note_owner(unsigned number, pid_t pid, void *context)
{
    const struct looking *looking = context;
    unsigned long inode = looking->sockets[number].inode;
    if (own_command_is_supervisor(pid))
        return;
    while (number > 0 && looking->sockets[number - 1].inode == inode)
        number--;
    for (; number < looking->socket_count && looking->sockets[number].inode == inode; number++)
        add_owner(&looking->sockets[number], pid);
}

static int find_owners(struct looking *looking)
{
    unsigned long *inodes = calloc(looking->socket_count + 1, sizeof *inodes);
    if (inodes == NULL)
        return -ENOMEM;
    if (looking->socket_count > 0)
        qsort(looking->sockets, looking->socket_count, sizeof *looking->sockets, by_inode);
    for (unsigned i = 0; i < looking->socket_count; i++)
        inodes[i] = looking->sockets[i].inode;
    socket_owners(inodes, looking->socket_count, note_owner, looking);
    free(inodes);
    for (unsigned i = 0; i < looking->port_count; i++) {
        struct survey_port *port = looking->ports[i].port;
        if (port->owner_count > 1)
            qsort(port->owners, port->owner_count, sizeof *port->owners, by_pid);
    }
    return 0;
}

/* Lists the ports whose sockets this process can see. False when there is no memory. */
static bool want_ports(struct looking *looking, struct survey *surveys, unsigned count)
{
    unsigned all = 0;
    for (unsigned i = 0; i < count; i++)
        all += surveys[i].port_count;
    looking->ports = calloc(all + 1, sizeof *looking->ports);
    for (unsigned i = 0; looking->ports != NULL && i < count; i++)
        for (unsigned p = 0; !surveys[i].elsewhere && p < surveys[i].port_count; p++)
            looking->ports[looking->port_count++] =
                (struct wanted_port){surveys[i].ports[p].real, &surveys[i].ports[p]};
    if (looking->port_count > 0)
        qsort(looking->ports, looking->port_count, sizeof *looking->ports, by_real);
    return looking->ports != NULL;
}

int survey_sockets(struct survey *surveys, unsigned count)
{
    struct looking looking = {0};
    if (!want_ports(&looking, surveys, count))
        return -ENOMEM;
    int diag = sockdiag_open();
    int error = diag < 0 ? diag : sockdiag_each(diag, note_socket, &looking);
    if (error == 0)
        error = looking.no_memory ? -ENOMEM : find_owners(&looking);
    if (diag >= 0)
        close(diag);
    free(looking.ports);
    free(looking.sockets);
    return error;
}
